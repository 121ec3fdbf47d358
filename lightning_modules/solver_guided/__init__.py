"""Networks that start at a training-free method's result: wrappers for any backbone that keeps the image size."""

import hyperalign  # noqa: F401 # isort: split  first: torchvision is repaired before anything imports it
from lightning_modules.networks.arguments import remembers_arguments
from lightning_modules.solver_guided.base import SolverGuided, scene_wide
from lightning_modules.solver_guided.guided import Guided
from lightning_modules.solver_guided.subspace import Subspace

__all__ = ["Guided", "SolverGuided", "Subspace", "scene_wide"]

for _kind in (Guided, Subspace):
    remembers_arguments(_kind)
