"""Fusion solvers as modules without weights, so that they stand wherever a fusion network does and by config."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from lightning_modules.solvers.cnmf import cnmf
from lightning_modules.solvers.fuse import fuse, fuse_blind
from lightning_modules.solvers.gsa import gsa
from lightning_modules.solvers.iccv15 import iccv15
from lightning_modules.solvers.pairs import check_pair
from lightning_modules.solvers.resampling import Phase
from lightning_modules.solvers.result import Progress, SolverError, SolverResult
from lightning_modules.solvers.spatial_response import SpatialResponse

__all__ = ["CNMF", "FUSE", "GSA", "ICCV15", "Blur", "TrainingFreeFusion"]

Blur = Literal["toolbox", "gaussian", "observed"]
"""A Gaussian as wide as a hyperspectral pixel (Yokoya's toolbox), one of a size and width that are given, or what is
known of the sensor: the blur of the task, or the one estimated from the pair (`FusionPair(psf="estimate")`)."""


class TrainingFreeFusion(nn.Module, ABC):
    """A fusion solver with its settings; spectral responses are estimated from each pair.

    Args:
        blur: what is assumed of the hyperspectral sensor, see `Blur`; its place comes with the observation.
        kernel_size: of the Gaussian, in multispectral pixels.
        sigma: of the Gaussian, in multispectral pixels.

    Raises:
        SolverError: for an unknown blur, or a size and width that are missing or too many.
    """

    takes_phase = True

    def __init__(
        self, blur: Blur = "toolbox", kernel_size: int | None = None, sigma: float | None = None, **settings: object
    ) -> None:
        super().__init__()
        if blur not in get_args(Blur) or (blur == "gaussian") != (kernel_size is not None and sigma is not None):
            raise SolverError(
                f"The blur {blur!r} with kernel_size={kernel_size} and sigma={sigma} is not possible; take toolbox "
                "or observed alone, or gaussian with both."
            )
        self.blur, self.kernel_size, self.sigma = blur, kernel_size, sigma
        self._observed: tuple[tuple[float, ...], int] | None = None
        self.settings = {"blur": blur, "kernel_size": kernel_size, "sigma": sigma, **settings}

    def observe_by(self, weights: Sequence[float], first: int) -> None:
        """Take the sensor's blur, which `observed` stands for.

        Args:
            weights: of the taps along one axis, in multispectral pixels, summing to 1.
            first: pixel of the first tap, from the first pixel of a block.
        """
        self._observed = (tuple(weights), first)

    @property
    def told(self) -> dict[str, object]:
        """The blur that `observe_by` told it, which is no setting of its own; empty where it was told none."""
        return {} if self._observed is None else {"weights": list(self._observed[0]), "first": self._observed[1]}

    @abstractmethod
    def fuse(
        self, observation: Tensor, multispectral: Tensor, ratio: int, phase: Phase, progress: Progress | None
    ) -> SolverResult:
        """Fuse pairs, with everything the images and the grid decide."""

    @torch.no_grad()
    def solve(
        self,
        observation: Tensor,
        multispectral: Tensor,
        phase: float | Phase | None = None,
        progress: Progress | None = None,
    ) -> SolverResult:
        """Fuse `B x C x h x w` with `B x c x H x W` and say what was reached.

        Args:
            observation: hyperspectral images.
            multispectral: multispectral images.
            phase: place of a hyperspectral pixel's centre in its block of multispectral pixels, 0 being the first; of
                rows and columns where they differ.
            progress: called while it is solved.

        Raises:
            SolverError: the images cannot be fused, or nobody says the phase.
        """
        ratio = max(1, round(multispectral.shape[-1] / max(1, observation.shape[-1])))
        check_pair(type(self).__name__, observation, multispectral, ratio)
        if phase is None:
            raise SolverError(
                f"{type(self).__name__} was not told where the hyperspectral pixels lie on the multispectral ones; "
                "give the phase, (ratio - 1) / 2 for pixels that cover whole blocks."
            )
        place = phase if isinstance(phase, tuple) else (float(phase), float(phase))
        with torch.autocast(observation.device.type, enabled=False):
            return self.fuse(observation, multispectral, ratio, place, progress)

    def forward(self, observation: Tensor, multispectral: Tensor, phase: float | None = None) -> Tensor:
        """Fuse `B x C x h x w` with `B x c x H x W`."""
        return self.solve(observation, multispectral, phase).restored

    def spatial(self, ratio: int, phase: Phase) -> SpatialResponse:
        """Return the blur that is assumed.

        Raises:
            SolverError: it is the observed one, and nobody said it.
        """
        if self.blur == "observed":
            if self._observed is None:
                raise SolverError(
                    f"{type(self).__name__} was not told the blur of the observations; call observe_by, or take "
                    "toolbox or gaussian."
                )
            return SpatialResponse.separable(*self._observed, ratio)
        if self.kernel_size is not None and self.sigma is not None:
            return SpatialResponse.gaussian(ratio, self.kernel_size, self.sigma, phase)
        return SpatialResponse.toolbox(ratio, phase)

    def extra_repr(self) -> str:
        """Return the settings: they tell one use of the method from another where no weights do."""
        return ", ".join(f"{name}={value!r}" for name, value in self.settings.items())


class GSA(TrainingFreeFusion):
    """GSA, see `lightning_modules.solvers.gsa`; it needs no blur."""

    def __init__(self) -> None:
        super().__init__()

    def fuse(
        self, observation: Tensor, multispectral: Tensor, ratio: int, phase: Phase, progress: Progress | None
    ) -> SolverResult:
        """Fuse pairs."""
        return gsa(observation, multispectral, ratio=ratio, phase=phase)


class FUSE(TrainingFreeFusion):
    """FUSE; the arguments are those of `lightning_modules.solvers.fuse`, the subspace at most as large as the cube.

    With the toolbox's blur it is `fuse_blind`, as published; with a blur that is given, `fuse`.
    """

    def __init__(
        self,
        dimension: int = 15,
        prior_precision: float = 1e-3,
        prior_wraps: bool = True,
        blur: Blur = "toolbox",
        kernel_size: int | None = None,
        sigma: float | None = None,
    ) -> None:
        super().__init__(
            blur, kernel_size, sigma, dimension=dimension, prior_precision=prior_precision, prior_wraps=prior_wraps
        )
        self.dimension, self.prior_precision, self.prior_wraps = dimension, prior_precision, prior_wraps

    def fuse(
        self, observation: Tensor, multispectral: Tensor, ratio: int, phase: Phase, progress: Progress | None
    ) -> SolverResult:
        """Fuse pairs."""
        if self.blur == "toolbox":
            return fuse_blind(
                observation,
                multispectral,
                ratio=ratio,
                phase=phase,
                dimension=self.dimension,
                prior_precision=self.prior_precision,
                prior_wraps=self.prior_wraps,
            )
        return fuse(
            observation,
            multispectral,
            None,
            self.spatial(ratio, phase),
            dimension=self.dimension,
            prior_precision=self.prior_precision,
            prior_wraps=self.prior_wraps,
        )


class CNMF(TrainingFreeFusion):
    """CNMF; the arguments are those of `lightning_modules.solvers.cnmf`."""

    def __init__(
        self,
        endmembers: int | None = None,
        inner_iterations: int = 200,
        outer_iterations: int = 1,
        tolerance: float = 1e-8,
        seed: int = 0,
        blur: Blur = "toolbox",
        kernel_size: int | None = None,
        sigma: float | None = None,
    ) -> None:
        settings = {
            "endmembers": endmembers,
            "inner_iterations": inner_iterations,
            "outer_iterations": outer_iterations,
            "tolerance": tolerance,
            "seed": seed,
        }
        super().__init__(blur, kernel_size, sigma, **settings)
        self.endmembers, self.tolerance, self.seed = endmembers, tolerance, seed
        self.inner_iterations, self.outer_iterations = inner_iterations, outer_iterations

    def fuse(
        self, observation: Tensor, multispectral: Tensor, ratio: int, phase: Phase, progress: Progress | None
    ) -> SolverResult:
        """Fuse pairs."""
        return cnmf(
            observation,
            multispectral,
            self.spatial(ratio, phase),
            endmembers=self.endmembers,
            inner_iterations=self.inner_iterations,
            outer_iterations=self.outer_iterations,
            tolerance=self.tolerance,
            seed=self.seed,
            progress=progress,
        )


class ICCV15(TrainingFreeFusion):
    """ICCV15; the arguments are those of `lightning_modules.solvers.iccv15`."""

    def __init__(
        self,
        endmembers: int = 10,
        iterations: int = 1500,
        tolerance: float | None = 1e-4,
        seed: int = 0,
        blur: Blur = "toolbox",
        kernel_size: int | None = None,
        sigma: float | None = None,
    ) -> None:
        super().__init__(
            blur, kernel_size, sigma, endmembers=endmembers, iterations=iterations, tolerance=tolerance, seed=seed
        )
        self.endmembers, self.iterations, self.tolerance, self.seed = endmembers, iterations, tolerance, seed

    def fuse(
        self, observation: Tensor, multispectral: Tensor, ratio: int, phase: Phase, progress: Progress | None
    ) -> SolverResult:
        """Fuse pairs."""
        return iccv15(
            observation,
            multispectral,
            self.spatial(ratio, phase),
            endmembers=self.endmembers,
            iterations=self.iterations,
            tolerance=self.tolerance,
            seed=self.seed,
            progress=progress,
        )
