"""The Gaussian denoising task."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from datamodules.degradations.base import Degradation, check_shape
from datamodules.degradations.draws import SigmaDraw, gaussian_noise, random_stream
from datamodules.degradations.noise import GaussianNoise


class NonIIDGaussian(Degradation):
    """Additive Gaussian noise whose standard deviation differs from band to band.

    Args:
        sigmas: standard deviations on the 0 to 255 scale: candidates for the `_choice` conventions, `[lowest,
            highest]` for the `_uniform` ones.
        convention: `band_choice` (SERT test set, the default), `band_uniform` (SSUMamba, T3SC), `cube_choice`
            or `cube_uniform` (one sigma per cube; blind Gaussian training of SERT with `sigmas=(10, 70)`).

    Raises:
        ValueError: a sigma is negative or not finite, a range is not two ordered values, or the convention is unknown.
    """

    def __init__(self, sigmas: Sequence[float] = (10.0, 30.0, 50.0, 70.0), convention: str = "band_choice") -> None:
        self.sigma_draw = SigmaDraw(tuple(float(sigma) for sigma in sigmas), convention)

    def draw(self, shape: Sequence[int], generator: torch.Generator) -> GaussianNoise:
        """Draw the band sigmas and the noise field of one cube of `shape` (C, H, W)."""
        size, stream = check_shape(shape), random_stream(generator)
        return gaussian_noise(size, self.sigma_draw.draw(size[0], stream), stream)

    def settings(self) -> dict[str, int | float | str | list[float]]:
        """Return the class name, candidate sigmas (0 to 255 scale) and convention."""
        return {
            "class": type(self).__name__,
            "sigmas": list(self.sigma_draw.sigmas),
            "convention": self.sigma_draw.convention,
        }
