"""Super-resolution with networks that keep the image size: the observation is enlarged first, then restored."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor, nn

from hyperalign.errors import InputError

__all__ = ["UpsampledInput", "downsample_bicubic", "upsample_bicubic"]


def _keys_cubic(distance: Tensor) -> Tensor:
    """Keys' cubic kernel with a = -0.5 (1981, Eq. 15), the kernel of MATLAB's `imresize`."""
    x = distance.abs()
    near = 1.5 * x**3 - 2.5 * x**2 + 1.0
    far = -0.5 * x**3 + 2.5 * x**2 - 4.0 * x + 2.0
    return torch.where(x <= 1, near, torch.where(x < 2, far, torch.zeros_like(x)))


@lru_cache(maxsize=32)
def _upsampling_matrix(size: int, scale: int, phase: float) -> Tensor:
    """Weights `size * scale x size` of one axis; samples beyond the border mirror with the edge sample repeated."""
    centres = (torch.arange(size * scale, dtype=torch.float64) - phase) / scale
    taps = centres.floor()[:, None] + torch.arange(-1, 3)
    weights = _keys_cubic(centres[:, None] - taps)
    mirrored = taps.long() % (2 * size)
    mirrored = torch.where(mirrored < size, mirrored, 2 * size - 1 - mirrored)
    matrix = torch.zeros(size * scale, size, dtype=torch.float64).scatter_add_(1, mirrored, weights)
    return matrix / matrix.sum(dim=1, keepdim=True)


def upsample_bicubic(images: Tensor, scale: int, phase: float | None = None) -> Tensor:
    """Enlarge images like MATLAB's `imresize(images, scale, 'bicubic')`, or from another sampling phase.

    Args:
        images: `... x H x W`.
        scale: whole factor of at least 1.
        phase: where an image's pixel lies in its block of the enlarged one, 0 being the first pixel's centre; the
            block's middle, (scale - 1) / 2, if None. An image sampled at every first pixel of 8 that is enlarged as if
            sampled at the middles comes out 3.5 pixels off.

    Returns:
        `... x scale*H x scale*W`, not clipped.
    """
    place = (scale - 1) / 2 if phase is None else float(phase)
    rows = _upsampling_matrix(images.shape[-2], scale, place).to(images)
    columns = _upsampling_matrix(images.shape[-1], scale, place).to(images)
    return rows @ (images @ columns.T)


@lru_cache(maxsize=32)
def _reducing_matrix(size: int, scale: int) -> Tensor:
    """Weights `size // scale x size` of one axis: the kernel widened by the scale, so that nothing is aliased."""
    centres = (torch.arange(size // scale, dtype=torch.float64) + 0.5) * scale - 0.5
    taps = centres.floor()[:, None] + torch.arange(-2 * scale, 2 * scale + 1)
    weights = _keys_cubic((centres[:, None] - taps) / scale)
    mirrored = taps.long() % (2 * size)
    mirrored = torch.where(mirrored < size, mirrored, 2 * size - 1 - mirrored)
    matrix = torch.zeros(size // scale, size, dtype=torch.float64).scatter_add_(1, mirrored, weights)
    return matrix / matrix.sum(dim=1, keepdim=True)


def downsample_bicubic(images: Tensor, scale: int) -> Tensor:
    """Reduce images like MATLAB's `imresize(images, 1 / scale, 'bicubic')`, antialiased.

    Args:
        images: `... x scale*H x scale*W`.
        scale: whole factor of at least 1.

    Returns:
        `... x H x W`, not clipped.
    """
    rows = _reducing_matrix(images.shape[-2], scale).to(images)
    columns = _reducing_matrix(images.shape[-1], scale).to(images)
    return rows @ (images @ columns.T)


class UpsampledInput(nn.Module):
    """A same-size network behind upsampling, so that any denoiser can be trained for super-resolution.

    Args:
        network: maps `B x C x H x W` to the same shape.
        scale: spatial factor between the observation and the restored cube.
        interpolation: `bicubic`, MATLAB's kernel, or `nearest`, which repeats every pixel (MP-HSIR's data).
        back_projection: how often `x + up(y - down(x))` follows the network outside of training, so that the restored
            cube x agrees with the observation y (Irani and Peleg, 1991); `down` is MATLAB's antialiased bicubic
            reduction, the task of `tasks/super_resolution`. It must not be used for other reductions.

    Raises:
        ValueError: when the scale is below 1, the back-projections are below 0, or the interpolation is unknown.
    """

    def __init__(
        self,
        network: nn.Module,
        scale: int = 4,
        interpolation: Literal["bicubic", "nearest"] = "bicubic",
        back_projection: int = 0,
    ) -> None:
        super().__init__()
        if interpolation not in ("bicubic", "nearest"):
            raise InputError(f"UpsampledInput: interpolation {interpolation!r} is unknown; choose bicubic or nearest.")
        if scale < 1:
            raise InputError(f"UpsampledInput: scale {scale} is below 1; give the whole factor of the task, such as 4.")
        if back_projection < 0:
            raise InputError(f"UpsampledInput: back_projection {back_projection} is below 0; give a number of steps.")
        self.network = network
        self.scale = scale
        self.back_projection = back_projection
        self.interpolation = interpolation

    @property
    def input_channels(self) -> int | None:
        """Bands the inner network was built for; None when it takes any number."""
        channels: int | None = getattr(self.network, "input_channels", None)
        return channels

    is_wrapper = True
    """Whether its name shows the network inside."""

    takes_phase = True
    """Whether `forward` wants to know the sampling phase of the observation."""

    def forward(self, observation: Tensor, phase: float | None = None) -> Tensor:
        """Restore a low-resolution cube `B x C x h x w` to `B x C x scale*h x scale*w`.

        Args:
            observation: the low-resolution cube.
            phase: of its pixels in their blocks, see `upsample_bicubic`; `nearest` has no use for it.
        """
        if self.interpolation == "nearest":
            enlarged = observation.repeat_interleave(self.scale, -2).repeat_interleave(self.scale, -1)
        else:
            enlarged = upsample_bicubic(observation, self.scale, phase)
        restored: Tensor = self.network(enlarged)
        return restored if self.training else self._agreeing(restored, observation, phase)

    def _agreeing(self, restored: Tensor, observation: Tensor, phase: float | None) -> Tensor:
        """Return a restored cube that reduces to the observation, as far as some back-projections bring it."""
        if self.back_projection and phase is not None and phase != (self.scale - 1) / 2:
            raise InputError(
                f"UpsampledInput: back_projection is for pixels in the middle of their blocks, but these have the "
                f"phase {phase:g}; set it to 0."
            )
        for _ in range(self.back_projection):
            rest = observation - downsample_bicubic(restored, self.scale)
            restored = restored + upsample_bicubic(rest, self.scale)
        return restored

    def extra_repr(self) -> str:
        """Return what no weight tells and results depend on, where it is not the plain case."""
        return f"back_projection={self.back_projection}" if self.back_projection else ""
