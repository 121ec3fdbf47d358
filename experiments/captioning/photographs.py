"""What a scene would look like on a photograph, for models and people that know photographs only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from datamodules.responses import load_response
from datamodules.scenes import rgb_bands, to_rgb
from hyperalign.rgb import displayed

WHITE = 0.995
"""Share of the RGB values below white. One gain for all channels keeps the colours; the gain is needed because measured
scenes are dark (a CAVE scene holds a white reference, or a lamp, that its full scale is made for)."""


class Photographer:
    """Renders cubes of one sensor as 8-bit RGB pictures: three channels, one gain, display gamma.

    Args:
        wavelengths: the C band centres in nm.
        response: camera whose red, green and blue are used (see `datamodules.responses`); None takes the bands nearest
            to 660, 550 and 470 nm.

    Raises:
        ValueError: the wavelengths do not cover red, green and blue, or the camera has no such channels.
        FileNotFoundError: there is no such response.
    """

    def __init__(self, wavelengths: Sequence[float], response: str | None = None) -> None:
        self.wavelengths = tuple(wavelengths)
        rgb_bands(self.wavelengths)
        self._weights: Tensor | None = None
        if response is not None:
            camera = load_response(response)
            self._weights = camera.select([camera.channels[index] for index in camera.rgb]).matrix(self.wavelengths)

    def __call__(self, cube: Tensor) -> Image.Image:
        """Render a linear cube `C x H x W` in [0, 1] as a picture of H x W pixels."""
        if self._weights is None:
            rgb = to_rgb(cube, self.wavelengths)
        else:
            rgb = torch.einsum("kc,chw->khw", self._weights.to(cube), cube)
        white = max(float(np.quantile(rgb.numpy(), WHITE)), 1e-6)
        return Image.fromarray((displayed(rgb / white) * 255).round().astype(np.uint8))
