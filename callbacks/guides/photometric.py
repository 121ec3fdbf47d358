"""Guides that need no trained generator: smooth relighting, recolouring and elastic displacement of the proxy RGB."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from callbacks.guides.base import Guides, check_range, check_request, described
from callbacks.guides.fields import change_exposure, displace, smooth_fields

# Two B-spline fields (rows, columns) whose magnitude is at most a third of the node distance fold the image nowhere
# in practice (the tests look at the Jacobian determinant of many draws).
LARGEST_SLOPE = 1.0 / 3.0


class PhotometricGuides(Guides):
    """Change illumination, tint, contrast and layout of the proxy RGB smoothly: the floor that generators must beat.

    Each guide draws its own fields. Strengths are the largest change anywhere in the image, so doubling an argument
    doubles the change; 0 switches a part off. Nothing is flipped or moved far: the guide stays roughly aligned with
    the proxy, as the spectral transfer needs.

    Args:
        illumination: largest change of the local exposure, in stops (1 doubles the light).
        illumination_scale: width of the lit regions as a fraction of the image's shorter side.
        tint: largest change of each colour channel's own exposure, in stops, as smooth as the illumination.
        displacement: largest displacement along rows and along columns, in pixels.
        displacement_scale: distance over which the displacement varies, in pixels; at least 3 times `displacement`,
            or the image would fold over itself.
        gamma: largest local change of the tone curve: pixel values are raised to 2 to the power of up to +-gamma.

    Raises:
        ValueError: if a strength is negative or the displacement could fold the image.
    """

    def __init__(
        self,
        illumination: float = 0.8,
        illumination_scale: float = 0.4,
        tint: float = 0.25,
        displacement: float = 6.0,
        displacement_scale: float = 24.0,
        gamma: float = 0.2,
    ) -> None:
        for name, value in (("illumination", illumination), ("tint", tint), ("gamma", gamma)):
            check_range(name, value, 0.0, 4.0)
        check_range("illumination_scale", illumination_scale, 0.01)
        check_range("displacement_scale", displacement_scale, 1.0)
        check_range("displacement", displacement, 0.0, displacement_scale * LARGEST_SLOPE)
        self.illumination = illumination
        self.illumination_scale = illumination_scale
        self.tint = tint
        self.displacement = displacement
        self.displacement_scale = displacement_scale
        self.gamma = gamma

    def __call__(self, proxy_rgb: Tensor, n: int, generator: torch.Generator) -> Tensor:
        """Make `n` relit, recoloured and displaced versions of a 3 x H x W proxy RGB; see `Guides`.

        Returns:
            n x 3 x H x W in [0, 1] on the proxy's device.

        Raises:
            ValueError: for a proxy of another shape or with non-finite values.
        """
        image = check_request(proxy_rgb, n)
        size = (image.shape[-2], image.shape[-1])
        light_scale = max(1.0, self.illumination_scale * min(size))
        # every field is drawn, even for a strength of 0, so that switching one part off leaves the others unchanged
        motion = self.displacement * smooth_fields(n, 2, size, self.displacement_scale, generator).to(image.device)
        light = self.illumination * smooth_fields(n, 1, size, light_scale, generator).to(image.device)
        colour = self.tint * smooth_fields(n, 3, size, light_scale, generator).to(image.device)
        tone = self.gamma * smooth_fields(n, 1, size, light_scale, generator).to(image.device)
        guides = image.expand(n, -1, -1, -1)
        if self.displacement > 0:
            guides = displace(guides, motion)
        guides = change_exposure(guides, light + colour)
        if self.gamma > 0:
            guides = guides.pow(torch.exp2(tone))
        return guides.clamp(0.0, 1.0)

    def settings(self) -> dict[str, Any]:
        """Return the class name and every strength; see `Guides`."""
        return described(self, dict(vars(self)))
