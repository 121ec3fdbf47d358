"""FastHyDe and HyRes as the package hyde-images has them: what a user would pick today, beside ours in tables.

FastHyDe (Zhuang and Bioucas-Dias, 2018) denoises eigenimages with BM3D; HyRes (Rasti et al., 2017) shrinks wavelets of
principal components by SURE. Neither is part of this suite: the package is called, on CPU, with its own defaults.
"""

from __future__ import annotations

import importlib
import warnings
from types import ModuleType
from typing import ClassVar, Literal

import torch
from torch import Tensor

from hyperalign.errors import MissingPackageError
from lightning_modules.solvers.checks import require_cubes
from lightning_modules.solvers.methods import TrainingFree
from lightning_modules.solvers.result import Progress, SolverResult, report

__all__ = ["HydeImages", "hyde_images"]


def hyde_images(
    observed: Tensor, method: Literal["FastHyDe", "HyRes"] = "FastHyDe", progress: Progress | None = None
) -> SolverResult:
    """Restore noisy cubes by a method of the package hyde-images.

    Args:
        observed: noisy cubes, `B x C x H x W`.
        method: the package's class.
        progress: called after every scene.

    Returns:
        The restored cubes; neither method says how far it is from a solution, so that the residual is 0.

    Raises:
        SolverError: for input that is no batch of finite cubes.
        MissingPackageError: when the package or what it needs is not installed.
    """
    require_cubes(observed, method)
    package = _package()
    restored = []
    for scene, cube in enumerate(observed, start=1):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the package, about its own tensors
            # A copy: the package changes its input. HyRes takes its settings, FastHyDe none.
            cleaned: Tensor = getattr(package, method)()(cube.detach().cpu().permute(1, 2, 0).contiguous().clone())
        restored.append(cleaned.permute(2, 0, 1).to(observed))
        report(progress, scene, len(observed), observed.new_zeros(1))
    zero = observed.new_zeros(len(observed))
    return SolverResult(torch.stack(restored), zero, zero.long() + 1, zero == 0)


def _package() -> ModuleType:
    """Import the package, or say what is to be installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pkg_resources warns that it is deprecated
            return importlib.import_module("hyde")
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"FastHyDe and HyRes need the package hyde-images, but {error.name} is missing; install it with: "
            'pip install "hyperalign[hyde]"'
        ) from error


class HydeImages(TrainingFree):
    """FastHyDe or HyRes of the package hyde-images; see `lightning_modules.solvers.hyde_images`."""

    method = staticmethod(hyde_images)
    local: ClassVar[bool] = False

    def __init__(self, method: Literal["FastHyDe", "HyRes"] = "FastHyDe") -> None:
        super().__init__(method=method)
