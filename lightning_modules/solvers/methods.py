"""Training-free methods as modules without weights, so that they stand wherever a network does and by config."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from lightning_modules.solvers.automatic import Auto
from lightning_modules.solvers.band_interpolation import band_interpolation
from lightning_modules.solvers.enhanced_3dtv import enhanced_3dtv
from lightning_modules.solvers.lrmr import lrmr
from lightning_modules.solvers.lrtdtv import lrtdtv, lrtdtv_g
from lightning_modules.solvers.lrtv import lrtv
from lightning_modules.solvers.rctv import rctv
from lightning_modules.solvers.result import Progress, SolverError, SolverResult
from lightning_modules.solvers.whitened_rctv import whitened_rctv

__all__ = [
    "LRMR",
    "LRTDTV",
    "LRTDTVG",
    "LRTV",
    "RCTV",
    "BandInterpolation",
    "Enhanced3DTV",
    "TrainingFree",
    "WhitenedRCTV",
]


class TrainingFree(nn.Module):
    """A training-free method with its settings: observation `B x C x H x W` in, restored cube out.

    Works in at least float32 whatever the precision around it, and without gradients.

    Args:
        settings: arguments of the method's function.

    Attributes:
        local: whether a part of the cube suffices to restore it. Other methods share spectral directions or ranks over
            the whole scene, and are given it whole.
    """

    method: ClassVar[Callable[..., SolverResult]]
    local: ClassVar[bool] = False

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 # those of the functions
        super().__init__()
        self.settings = settings

    @torch.no_grad()
    def solve(self, observation: Tensor, progress: Progress | None = None) -> SolverResult:
        """Restore observations `B x C x H x W` and say what was reached; `progress` is told every iteration.

        Raises:
            SolverError: for complex values, or what the method's function refuses.
        """
        if observation.is_complex():
            raise SolverError(f"{type(self).__name__} restores real values, not {observation.dtype}: take one part.")
        with torch.autocast(observation.device.type, enabled=False):
            cubes = observation if observation.dtype == torch.float64 else observation.float()
            return type(self).method(cubes, **self.settings, progress=progress)

    def forward(self, observation: Tensor) -> Tensor:
        """Restore observations `B x C x H x W`."""
        return self.solve(observation).restored

    def extra_repr(self) -> str:
        """Return the settings: they tell one use of the method from another where no weights do."""
        return ", ".join(f"{name}={value!r}" for name, value in self.settings.items())


class BandInterpolation(TrainingFree):
    """Missing entries by interpolation along the spectrum; see `lightning_modules.solvers.band_interpolation`."""

    method = staticmethod(band_interpolation)
    local = True

    def __init__(self) -> None:
        super().__init__()


class RCTV(TrainingFree):
    """RCTV; the arguments are those of `lightning_modules.solvers.rctv`."""

    method = staticmethod(rctv)

    def __init__(
        self,
        rank: int | Auto = 13,
        beta: float = 50.0,
        lam: float = 1.0,
        tau: float | Auto = 0.8,
        iterations: int = 100,
        tolerance: float = 1e-5,
    ) -> None:
        super().__init__(rank=rank, beta=beta, lam=lam, tau=tau, iterations=iterations, tolerance=tolerance)


class WhitenedRCTV(TrainingFree):
    """RCTV on whitened bands; the arguments are those of `lightning_modules.solvers.whitened_rctv`."""

    method = staticmethod(whitened_rctv)

    def __init__(
        self,
        rank: int | Auto = 6,
        beta: float = 50.0,
        lam: float = 1.0,
        tau: float | Auto = 0.8,
        floor: float = 3 / 255,
        iterations: int = 100,
        tolerance: float = 1e-5,
    ) -> None:
        super().__init__(
            rank=rank, beta=beta, lam=lam, tau=tau, floor=floor, iterations=iterations, tolerance=tolerance
        )


class LRTV(TrainingFree):
    """LRTV; the arguments are those of `lightning_modules.solvers.lrtv`."""

    method = staticmethod(lrtv)

    def __init__(
        self,
        rank: int | Auto = 10,
        tau: float | Auto = 0.015,
        lam: float | None = None,
        sparse_noise: Literal["absolute", "squared"] = "absolute",
        iterations: int = 40,
        tolerance: float = 1e-6,
    ) -> None:
        super().__init__(
            rank=rank, tau=tau, lam=lam, sparse_noise=sparse_noise, iterations=iterations, tolerance=tolerance
        )


class LRTDTV(TrainingFree):
    """LRTDTV; the arguments are those of `lightning_modules.solvers.lrtdtv`."""

    method = staticmethod(lrtdtv)

    def __init__(
        self,
        rank: int | Auto = 10,
        spatial_rank: float = 0.8,
        tau: float | Auto = 1.0,
        lam: float = 10.0,
        iterations: int = 50,
        tolerance: float = 1e-6,
    ) -> None:
        super().__init__(
            rank=rank, spatial_rank=spatial_rank, tau=tau, lam=lam, iterations=iterations, tolerance=tolerance
        )


class LRTDTVG(TrainingFree):
    """LRTDTV_G; the arguments are those of `lightning_modules.solvers.lrtdtv_g`."""

    method = staticmethod(lrtdtv_g)

    def __init__(
        self,
        rank: int | Auto = 10,
        spatial_rank: float = 0.8,
        tau: float | Auto = 1.0,
        lam: float = 1e5,
        beta: float = 100.0,
        iterations: int = 40,
        tolerance: float = 1e-6,
    ) -> None:
        super().__init__(
            rank=rank,
            spatial_rank=spatial_rank,
            tau=tau,
            lam=lam,
            beta=beta,
            iterations=iterations,
            tolerance=tolerance,
        )


class Enhanced3DTV(TrainingFree):
    """Enhanced-3DTV; the arguments are those of `lightning_modules.solvers.enhanced_3dtv`."""

    method = staticmethod(enhanced_3dtv)

    def __init__(
        self,
        rank: int | Auto = 13,
        lam: float = 1.0,
        tau: float | Auto | None = None,
        iterations: int = 40,
        tolerance: float = 1e-6,
    ) -> None:
        super().__init__(rank=rank, lam=lam, tau=tau, iterations=iterations, tolerance=tolerance)


class LRMR(TrainingFree):
    """LRMR; the arguments are those of `lightning_modules.solvers.lrmr`."""

    method = staticmethod(lrmr)
    local = True

    def __init__(
        self,
        rank: int | Auto = 7,
        threshold: float | Auto = 0.15,
        block: int = 20,
        step: int = 8,
        iterations: int = 101,
        seed: int = 0,
    ) -> None:
        super().__init__(rank=rank, threshold=threshold, block=block, step=step, iterations=iterations, seed=seed)
