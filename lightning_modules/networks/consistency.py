"""What brings a restored cube to agree with its observation where the degradation is known and linear (ours)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from hyperalign.errors import InputError
from lightning_modules.networks.arguments import remembers_arguments

__all__ = ["BackProjection", "Consistency", "KnownEntries"]

_MODES = {"reflect": "reflect", "replicate": "replicate", "circular": "circular", "zero": "constant"}


class Consistency(nn.Module, ABC):
    """Follows a network wherever it restores, also for proxies, never in training: its weights learn as without it."""

    def forward(self, restored: Tensor, observation: Tensor) -> Tensor:
        """Return the restored cubes `B x C x H x W`, brought to agree with the observations of the same size.

        Raises:
            InputError: for observations of another size.
        """
        if restored.shape != observation.shape:
            raise InputError(
                f"{type(self).__name__} compares cubes of one size, but restored {tuple(restored.shape[1:])} from "
                f"{tuple(observation.shape[1:])}: leave consistency out, or take UpsampledInput's back_projection."
            )
        return self.agreeing(restored, observation.to(restored))

    @abstractmethod
    def agreeing(self, restored: Tensor, observation: Tensor) -> Tensor:
        """Return cubes that agree with observations of their size."""


class KnownEntries(Consistency):
    """Keeps what was observed where the other entries are missing, that is 0: missing bands, inpainting.

    The restored values are used at missing entries alone. An entry that was observed as exactly 0 counts as missing.
    With missing bands the observed ones come out without error; scores of whole cubes then say little (see
    `lightning_modules.metrics.functional.psnr`).
    """

    def __init__(self) -> None:
        super().__init__()

    def agreeing(self, restored: Tensor, observation: Tensor) -> Tensor:
        """Return restored cubes with the observed entries put back."""
        return torch.where(observation != 0, observation, restored)


class BackProjection(Consistency):
    """Repeats `x + h * (y - h * x)` for a Gaussian blur h, so that x blurs to the observation y (Irani, Peleg, 1991).

    It is for observations without noise, such as those of `tasks/deblurring`, whose blur is the default here; noise
    would be amplified.

    Args:
        kernel_size: odd width of the blur in pixels.
        sigma: standard deviation of the blur in pixels.
        boundary: what lies outside the image, as `datamodules.GaussianBlurring` has it.
        steps: how often it is repeated.

    Raises:
        InputError: for a blur that is none, or fewer than one step.
    """

    def __init__(
        self,
        kernel_size: int = 15,
        sigma: float = 2.6,
        boundary: Literal["reflect", "replicate", "circular", "zero"] = "reflect",
        steps: int = 2,
    ) -> None:
        super().__init__()
        if kernel_size < 1 or kernel_size % 2 == 0 or not 0 < sigma < math.inf or steps < 1 or boundary not in _MODES:
            raise InputError(
                f"BackProjection got kernel_size={kernel_size}, sigma={sigma}, boundary={boundary!r}, steps={steps}: "
                "give an odd width, a standard deviation above 0, reflect, replicate, circular or zero, and 1 step "
                "or more."
            )
        self.kernel_size, self.sigma, self.boundary, self.steps = kernel_size, sigma, boundary, steps

    def agreeing(self, restored: Tensor, observation: Tensor) -> Tensor:
        """Return restored cubes after all steps."""
        for _ in range(self.steps):
            restored = restored + self.blurred(observation - self.blurred(restored))
        return restored

    def blurred(self, cubes: Tensor) -> Tensor:
        """Return cubes `B x C x H x W` as the sensor blurs them."""
        offset = torch.arange(self.kernel_size, dtype=torch.float64) - (self.kernel_size - 1) / 2
        kernel = torch.exp(-0.5 * (offset / self.sigma) ** 2)
        kernel = (kernel / kernel.sum()).to(cubes)
        half, bands = self.kernel_size // 2, cubes.shape[1]
        padded = F.pad(cubes, (half,) * 4, _MODES[self.boundary])
        rows = F.conv2d(padded, kernel.view(1, 1, -1, 1).expand(bands, 1, -1, 1), groups=bands)
        return F.conv2d(rows, kernel.view(1, 1, 1, -1).expand(bands, 1, 1, -1), groups=bands)

    def extra_repr(self) -> str:
        """Return what results depend on."""
        return f"kernel_size={self.kernel_size}, sigma={self.sigma}, boundary={self.boundary}, steps={self.steps}"


for _kind in (KnownEntries, BackProjection):
    # A module says in its checkpoints how to build what its network is followed by.
    remembers_arguments(_kind)
