"""The fusion task: one scene seen by two sensors, few pixels in many bands and many pixels in few bands."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor

from datamodules.degradations.base import Corruption, Degradation, check_shape
from datamodules.degradations.operators import Separable
from datamodules.degradations.point_spread import PointSpread, PointSpreadName, point_spread
from datamodules.responses import SpectralResponse, load_response
from hyperalign.errors import InputError


@dataclass(frozen=True)
class LowResolution:
    """Blur and decimation, then noise of a fixed signal-to-noise ratio in every band.

    Attributes:
        reduction: the linear operator.
        field: unit Gaussian noise `C x h x w`, or None.
        ratio: signal-to-noise ratio in dB.
    """

    reduction: Separable
    field: Tensor | None
    ratio: float

    def apply(self, cube: Tensor) -> Tensor:
        """Return the observation `C x h x w`."""
        low = self.reduction.apply(cube)
        return low if self.field is None else add_noise(low, self.field, self.ratio)


def add_noise(image: Tensor, field: Tensor, ratio: float) -> Tensor:
    """Add a unit field scaled so that each band of `C x H x W` has the signal-to-noise ratio `ratio` in dB."""
    power = image.square().mean(dim=(-2, -1), keepdim=True)
    noise: Tensor = field.to(image) * (power * 10.0 ** (-ratio / 10.0)).sqrt()
    return image + noise


class FusionObservation(Degradation):
    """A low-resolution hyperspectral and a high-resolution multispectral image of the same ground.

    The hyperspectral image is the blurred cube, every `ratio`-th pixel of it; the multispectral one is the cube seen
    through a camera's spectral response. Training patches are turned and mirrored first and observed afterwards, so
    both images and the target are turned alike and the sampling phase stays that of the test; a patch's own border is
    mirrored where a whole scene's would be (the published codes blur whole scenes and cut patches, and turn the phase
    with them).

    Args:
        ratio: side of a hyperspectral pixel in multispectral pixels; height and width of a cube must be its multiples.
        psf: how the hyperspectral sensor blurs: `srlf` (7 x 7 Gaussian of sigma 3, sampled at every first pixel;
            SRLF-Net, SSTF-Unet), `block_centred` (Gaussian whose full width at half maximum is the ratio, centred on
            the block; Yokoya's toolbox), `block_mean` (ICCV15), `bicubic` (MATLAB's imresize) or `gaussian`.
        kernel_size: of `gaussian`, in pixels.
        sigma: of `gaussian`, in pixels.
        offset: of `gaussian`: where in its block a pixel is sampled, from 0 (first) to ratio - 1.
        response: the multispectral sensor: a packaged table (`nikon_d700`, `landsat8_oli`) or a CSV file; None where
            the multispectral image is measured and nobody needs to simulate one.
        channels: the sensor's channels to take; None takes its default.
        hyperspectral_snr: signal-to-noise ratio in dB of every hyperspectral band; None adds no noise.
        multispectral_snr: the same of every multispectral channel.

    Raises:
        ValueError: for an unknown setting; when drawing: a size that the ratio does not divide.
        FileNotFoundError: there is no such response.
    """

    def __init__(
        self,
        ratio: int = 8,
        psf: PointSpreadName = "srlf",
        *,
        kernel_size: int | None = None,
        sigma: float | None = None,
        offset: float | None = None,
        response: str | None = "nikon_d700",
        channels: list[str] | None = None,
        hyperspectral_snr: float | None = None,
        multispectral_snr: float | None = None,
    ) -> None:
        if ratio < 1:
            raise InputError(f"The ratio of the fusion observation is {ratio} but must be at least 1.")
        if psf not in get_args(PointSpreadName):
            raise InputError(f"The psf is {psf!r} but must be one of {', '.join(get_args(PointSpreadName))}.")
        self.scale = int(ratio)
        self.psf: str = psf
        self.spread: PointSpread = point_spread(psf, ratio, kernel_size, sigma, offset)
        self.response = None if response is None else load_response(response, channels)
        self.hyperspectral_snr = hyperspectral_snr
        self.multispectral_snr = multispectral_snr

    @property
    def phase(self) -> float:
        """Where the blur of a hyperspectral pixel is centred in its block, from 0 (first pixel) to `ratio` - 1."""
        return self.spread.centre

    def observed_by(self, response: SpectralResponse | None, spread: PointSpread | None) -> FusionObservation:
        """Return the same observation by sensors that are known otherwise, such as estimated ones.

        Args:
            response: of the multispectral sensor; None keeps this one's.
            spread: the hyperspectral sensor's blur; None keeps this one's.
        """
        other = copy.copy(self)
        other.response = self.response if response is None else response
        if spread is not None:
            other.psf, other.spread = "given", spread
        return other

    def draw(self, shape: Sequence[int], generator: torch.Generator) -> Corruption:
        """Return what the hyperspectral sensor does to a cube of `shape` (C, H, W); random only in its noise."""
        bands, height, width = check_shape(shape)
        if height % self.scale or width % self.scale:
            raise InputError(
                f"A cube of {height} x {width} pixels cannot be observed at the ratio {self.scale}; crop it to "
                f"multiples of {self.scale}."
            )
        reduction = self.spread.reduction(height, width, self.scale)
        if self.hyperspectral_snr is None:
            return LowResolution(reduction, None, 0.0)
        field = torch.randn(bands, height // self.scale, width // self.scale, generator=generator)
        return LowResolution(reduction, field, self.hyperspectral_snr)

    def multispectral(self, cube: Tensor, wavelengths: Sequence[float], generator: torch.Generator) -> Tensor:
        """Return what the multispectral sensor delivers, `c x H x W`.

        Raises:
            ValueError: there are not as many wavelengths as bands, or there is no response.
        """
        if self.response is None:
            raise InputError(
                "The multispectral image of a scene is to be simulated, but nobody says its sensor's response: set "
                "data.init_args.response of pairs, or data.init_args.degradation.init_args.response, to a table."
            )
        if len(wavelengths) != cube.shape[0]:
            raise InputError(
                f"The response {self.response.name} was asked for {len(wavelengths)} wavelengths but the cube has "
                f"{cube.shape[0]} bands; give one wavelength per band."
            )
        image = torch.einsum("kc,chw->khw", self.response.matrix(wavelengths).to(cube), cube)
        if self.multispectral_snr is None:
            return image
        return add_noise(image, torch.randn(image.shape, generator=generator), self.multispectral_snr)

    def settings(self) -> dict[str, int | float | str | list[float]]:
        """Return the ratio, the blur's taps, channels and a digest of the response, noise."""
        return {
            "class": type(self).__name__,
            "ratio": self.scale,
            "psf": self.psf,
            **self.spread.settings(),
            **({"response": "none"} if self.response is None else _response_settings(self.response)),
            "hyperspectral_snr": "none" if self.hyperspectral_snr is None else float(self.hyperspectral_snr),
            "multispectral_snr": "none" if self.multispectral_snr is None else float(self.multispectral_snr),
        }


def _response_settings(response: SpectralResponse) -> dict[str, int | float | str | list[float]]:
    """Name, channels and a digest."""
    table = response.values.double().numpy().tobytes() + repr(response.wavelengths).encode()
    digest = hashlib.sha256(table).hexdigest()[:16]
    return {"response": response.name, "channels": ", ".join(response.channels), "response_digest": digest}
