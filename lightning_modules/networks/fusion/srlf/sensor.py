"""What SRLF knows of the two sensors: the multispectral camera's response and the hyperspectral one's blur."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperalign.errors import InputError

__all__ = ["PairSensor", "gaussian_spread"]

NIKON_D700 = (
    (2, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 6, 11, 17, 21, 22, 21, 20, 20, 19, 19, 18, 18, 17, 17),
    (1, 1, 1, 1, 1, 1, 2, 4, 6, 8, 11, 16, 19, 21, 20, 18, 16, 14, 11, 7, 5, 3, 2, 2, 1, 1, 2, 2, 2, 2, 2),
    (7, 10, 15, 19, 25, 29, 30, 29, 27, 22, 16, 9, 2, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1),
)
"""Red, green and blue of a Nikon D700 at 400, 410, ..., 700 nm as the fusion literature uses it, relative units."""


def gaussian_spread(size: int = 7, sigma: float = 3.0) -> Tensor:
    """Return the published blur: `size` samples of a Gaussian, summing to 1; `size x size` is their outer product."""
    distances = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    weights = torch.exp(-0.5 * (distances / sigma) ** 2)
    return (weights / weights.sum()).float()


class PairSensor(nn.Module):
    """Both sensors, as plain tensors that are no weights: they belong to the observation, not to the training.

    Args:
        bands: hyperspectral bands C.
        channels: multispectral channels c.
        ratio: pixels of the multispectral image along one of the hyperspectral image.
        response: `c x C` weights of every band in every channel; rows are divided by their sums. Without, 31 bands and
            3 channels mean a Nikon D700 from 400 to 700 nm; for others `observe_by` must be called before use.

    Raises:
        ValueError: the response has another shape, or a row without weight.
    """

    response: Tensor
    spread: Tensor

    def __init__(self, bands: int, channels: int, ratio: int, response: Sequence[Sequence[float]] | None) -> None:
        super().__init__()
        self.shape, self.ratio = (channels, bands), ratio
        if response is None and self.shape == (3, 31):
            response = NIKON_D700
        self.known = response is not None
        table = torch.tensor(response) if response is not None else torch.zeros(self.shape)
        self.register_buffer("response", table, persistent=False)
        self.register_buffer("spread", gaussian_spread(), persistent=False)
        self.first = -3
        if self.known:
            self.observe_by(table)

    def observe_by(self, response: Tensor, spread: Sequence[float] | None = None, first: int | None = None) -> None:
        """Set both sensors to those of the data.

        Args:
            response: `c x C`, not negative.
            spread: weights of the blur along one axis, summing to 1; None keeps the present ones.
            first: pixel of the first weight relative to the block's first pixel (-3 is published).

        Raises:
            ValueError: the response has another shape, or a row without weight.
        """
        if tuple(response.shape) != self.shape or not bool((response.double().sum(dim=1) > 0).all()):
            raise InputError(
                f"SRLF: the spectral response has shape {tuple(response.shape)} or a channel that sees no band, but "
                f"the network has {self.shape[0]} channels and {self.shape[1]} bands; give one row of weights a "
                "channel, one weight a band."
            )
        table = response.double()
        self.response = (table / table.sum(dim=1, keepdim=True)).to(self.spread)
        self.known = True
        if spread is not None and first is not None:
            self.spread = torch.as_tensor(spread).to(self.spread)
            self.first = first

    def multispectral(self, features: Tensor) -> Tensor:
        """Return what the camera sees of `B x C x H x W`, clamped to [0, 1], `B x c x H x W`.

        Raises:
            ValueError: the response was never given.
        """
        if not self.known:
            raise InputError(
                f"SRLF: the spectral response of {self.shape[0]} channels to {self.shape[1]} bands is not known; give "
                "the argument response, or train and test by FusionModule on a FusionObservation, which has it."
            )
        seen: Tensor = (self.response @ features.flatten(2)).clamp(0, 1)
        image: Tensor = seen.unflatten(2, features.shape[2:])
        return image

    def hyperspectral(self, features: Tensor) -> Tensor:
        """Return the blurred `B x C x H x W`, every `ratio`-th pixel of it, zeros beyond the border."""
        before, after = -self.first, max(0, self.first + len(self.spread) - self.ratio)
        padded = functional.pad(features, (before, after, before, after))
        kernel = torch.outer(self.spread, self.spread).to(features.dtype)
        bands = features.shape[1]
        return functional.conv2d(padded, kernel.expand(bands, 1, -1, -1), stride=self.ratio, groups=bands)
