"""Methods without training where networks stand: the same commands, tables, pictures and writers."""

import hyperalign  # noqa: F401 # isort: split  first: torchvision is repaired before anything imports it
from lightning_modules.training_free.base import TrainingFreeModule
from lightning_modules.training_free.fusion import FusionSolverModule
from lightning_modules.training_free.restoration import SolverModule

__all__ = ["FusionSolverModule", "SolverModule", "TrainingFreeModule"]
