"""HSIGene (Pang et al., arXiv 2409.12470) as a generator of training cubes: HIR-ALIGN's Table IX."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from callbacks.generators.base import CubeGenerator, CubeRequest
from callbacks.generators.clip_conditions import ImageEncoder, TextEncoder
from datamodules.scenes import to_rgb
from datamodules.scenes.band_matching import TOLERANCE, band_centres, match_bands
from hyperalign.errors import InputError, MissingFileError, NonFiniteError
from lightning_modules.checkpoints import load_weights
from lightning_modules.networks.generation.hsigene.network import HSIGeneNetwork, local_images
from lightning_modules.networks.generation.hsigene.sampling import ddim_timesteps

__all__ = ["PROMPTS", "HSIGene"]

PROMPTS = ("Farmland", "Architecture", "City Building", "Wasteland")
"""The prompts that the published script offers beside the empty one."""


class HSIGene(CubeGenerator):
    """Generates 48-band cubes with the released HSIGene weights and brings them to the target's bands.

    By default it generates as the published unconditional script does: an empty prompt, a zero content vector, seven
    metadata zeros, no condition images, 50 DDIM steps without guidance. Nothing of the proxy enters then. With an
    `image_encoder` the proxy's RGB enters as one vector of 768 numbers: content, not layout.

    Band centres: the generator was trained on cubes aligned to 48 bands in 400 to 1000 nm; its authors publish no
    list. Equal spacing is assumed here. It agrees with their preview bands 20, 12 and 4, which then lie at 655, 553
    and 451 nm. Give `wavelengths` if you know better.

    The weights (5.5 GB in float32) are read once, when the first cube is asked for, and stay on the proxy's device.

    Args:
        checkpoint: the released `last.ckpt`.
        text_encoder: id or folder of openai/clip-vit-large-patch14, for the prompts, the empty one included.
        image_encoder: id or folder of the CLIP model for the content. The authors use one that they finetuned
            (`checkpoint-2500`); None gives the zero vector.
        prompts: taken in turn, cube by cube; published are `PROMPTS` and the empty one.
        steps: of DDIM.
        guidance: scale of classifier-free guidance, away from an empty prompt and zero content; 1 is none.
        strength: factor on the content's tokens.
        metadata: seven numbers; None gives zeros, as published, which is not "no metadata".
        correct_content: False repeats two traps of the published content detector, which the weights expect: the
            image is min-max stretched and its red and blue are swapped.
        size: side of the generated cubes in pixels, a multiple of 32; the weights know 256.
        output_size: side of the cubes that are handed on; None for `size`.
        fit: how `output_size` is reached: `crop` (the middle) or `resize` (bicubic, antialiased).
        quantise: cut values to 8 bits as the published scripts do when they save.
        wavelengths: the generator's band centres in nm, one by one or as `FIRST:LAST:COUNT`.
        bands: how the target's bands are made: `interpolate` (linearly) or `select` (the nearest).
        hold: give target bands outside of the generator's range its outermost band.
        architecture: arguments of `HSIGeneNetwork` for weights of other sizes; None for the published ones.

    Raises:
        ValueError: for a value out of its range.
    """

    def __init__(
        self,
        checkpoint: str,
        text_encoder: str = "openai/clip-vit-large-patch14",
        image_encoder: str | None = None,
        prompts: Sequence[str] = ("",),
        steps: int = 50,
        guidance: float = 1.0,
        strength: float = 1.0,
        metadata: Sequence[float] | None = None,
        correct_content: bool = False,
        size: int = 256,
        output_size: int | None = None,
        fit: Literal["crop", "resize"] = "crop",
        quantise: bool = False,
        wavelengths: Sequence[float] | str = "400:1000:48",
        bands: Literal["interpolate", "select"] = "interpolate",
        hold: bool = False,
        architecture: dict[str, Any] | None = None,
    ) -> None:
        ddim_timesteps(steps)
        if not prompts:
            raise InputError("HSIGene's argument prompts is empty: give at least one prompt, such as an empty text.")
        if output_size is not None and (output_size < 1 or (fit == "crop" and output_size > size)):
            raise InputError(
                f"HSIGene's argument output_size is {output_size} and cannot be cropped from cubes of size {size}: "
                "choose a smaller one, or set fit to resize."
            )
        self.checkpoint = checkpoint
        self.prompts = tuple(prompts)
        self.steps = steps
        self.guidance = guidance
        self.strength = strength
        self.metadata = None if metadata is None else tuple(metadata)
        self.correct_content = correct_content
        self.size = size
        self.output_size = output_size
        self.fit = fit
        self.quantise = quantise
        self.wavelengths = band_centres(wavelengths, "HSIGene.wavelengths")
        self.bands = bands
        self.hold = hold
        self.architecture = dict(architecture or {})
        self.encode_text = TextEncoder(text_encoder)
        self.encode_image = None if image_encoder is None else ImageEncoder(image_encoder)
        self._network: HSIGeneNetwork | None = None
        self._digest: str | None = None
        self._check_sizes(self._skeleton())

    def __call__(self, request: CubeRequest) -> Tensor:
        """Generate the cube of a request; see `CubeGenerator`.

        Returns:
            C x output_size x output_size in [0, 1] on the proxy's device, at the request's wavelengths.

        Raises:
            FileNotFoundError: when there is no checkpoint.
            CheckpointError: when it is damaged or of another network.
            EncoderError: when a CLIP encoder cannot be had.
            ValueError: when the target's bands cannot be made.
        """
        weights = self.band_weights(request.wavelengths).to(request.proxy.device)
        rgb = None if self.encode_image is None else to_rgb(request.proxy, request.wavelengths)
        cube = self.generate(
            rgb, request.number, request.generator, request.proxy.device, self.local_conditions(request)
        )
        return torch.einsum("tb,bhw->thw", weights, self._fitted(cube)).clamp(0.0, 1.0)

    def local_conditions(self, request: CubeRequest) -> Mapping[str, Tensor]:
        """Return the condition images of a cube: none here. A subclass that has edge or segment maps returns them.

        Returns:
            1 x 3 x H x W images in [0, 1] on the proxy's device, under hed, segmentation, sketch or mlsd.
        """
        return {}

    def band_weights(self, wanted: Sequence[float]) -> Tensor:
        """Return the linear map from the generator's bands to the wanted ones, `C x 48`.

        Args:
            wanted: band centres in nm.

        Raises:
            ValueError: for bands outside of the generator's range unless they are held, or none near enough to select.
        """
        centres = np.asarray(wanted, dtype=np.float64)
        low, high = min(self.wavelengths), max(self.wavelengths)
        outside = centres[(centres < low - TOLERANCE) | (centres > high + TOLERANCE)]
        if len(outside) and not self.hold:
            raise InputError(
                f"HSIGene's bands lie in {low:g} to {high:g} nm, but {len(outside)} of the target's {len(centres)} "
                f"bands lie outside, the first at {outside[0]:g} nm: set hold to true to give them the outermost band."
            )
        try:
            match = match_bands(self.wavelengths, np.clip(centres, low, high).tolist(), self.bands, "HSIGene")
        except ValueError as error:
            raise InputError(
                f"HSIGene's {len(self.wavelengths)} bands in {low:g} to {high:g} nm lie too far from some of the "
                f"target's {len(centres)} bands to be selected: set bands to interpolate."
            ) from error
        return torch.from_numpy(match.weights)

    @torch.no_grad()
    def generate(
        self,
        rgb: Tensor | None,
        number: int,
        generator: torch.Generator,
        device: torch.device,
        local: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """Generate one cube with the generator's own bands and size.

        Args:
            rgb: 3 x H x W in [0, 1], the content; used where there is an `image_encoder`.
            number: chooses the prompt.
            generator: a CPU generator, all randomness comes from it.
            device: where to compute.
            local: condition images, see `local_conditions`.

        Returns:
            48 x size x size in [0, 1].

        Raises:
            FileNotFoundError: as for calling the generator.
            CheckpointError: as for calling the generator.
            EncoderError: as for calling the generator.
            FloatingPointError: when the cube is not finite.
        """
        network = self._loaded().to(device)
        side = self.size // network.reduction
        start = torch.randn(1, network.latent_channels, side, side, generator=generator).to(device)
        metadata = None if self.metadata is None else torch.tensor([self.metadata], device=device)
        images = local_images(local, 2 * self.size).to(device) if local else None
        content = None if rgb is None or self.encode_image is None else self.encode_image(rgb, self.correct_content)
        with torch.autocast(device.type, enabled=False):
            text = self.encode_text(self.prompts[number % len(self.prompts)]).to(device)
            steered = network.conditions(text, content, metadata, images, side=self.size, strength=self.strength)
            free = None
            if self.guidance != 1.0:
                free = network.conditions(
                    self.encode_text("").to(device), None, metadata, images, side=self.size, strength=self.strength
                )
            cube = network.generate(start, steered, self.steps, self.guidance, free)[0]
        if not bool(torch.isfinite(cube).all()):
            raise NonFiniteError(
                f"HSIGene's cube {number} holds NaN or infinite values: check that {self.checkpoint} holds trained "
                "weights and that guidance and strength are moderate."
            )
        return (255.0 * cube).floor() / 255.0 if self.quantise else cube

    def release(self) -> None:
        """Forget the network; it is read again when it is needed."""
        self._network = None

    def settings(self) -> dict[str, Any]:
        """Return the class name, the arguments and digests of all weights; see `CubeGenerator`.

        Raises:
            FileNotFoundError: when there is no checkpoint.
            EncoderError: when a CLIP encoder cannot be had.
        """
        if self._digest is None:
            path = Path(self.checkpoint)
            if not path.is_file():
                raise MissingFileError(self._no_checkpoint())
            with path.open("rb") as file:
                self._digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {
            "class": type(self).__name__,
            "checkpoint": self._digest,
            "text_encoder": self.encode_text.digest(),
            "image_encoder": None if self.encode_image is None else self.encode_image.digest(),
            "prompts": list(self.prompts),
            "steps": self.steps,
            "guidance": self.guidance,
            "strength": self.strength,
            "metadata": None if self.metadata is None else list(self.metadata),
            "correct_content": self.correct_content,
            "size": self.size,
            "output_size": self.output_size,
            "fit": self.fit,
            "quantise": self.quantise,
            "wavelengths": list(self.wavelengths),
            "bands": self.bands,
            "hold": self.hold,
            "architecture": self.architecture,
        }

    def _fitted(self, cube: Tensor) -> Tensor:
        """Crop or resize `B x H x W` to the output's size."""
        side = self.size if self.output_size is None else self.output_size
        if side == cube.shape[-1]:
            return cube
        if self.fit == "crop":
            first = (cube.shape[-1] - side) // 2
            return cube[:, first : first + side, first : first + side]
        resized = functional.interpolate(cube[None], size=(side, side), mode="bicubic", antialias=True)
        return resized[0].clamp(0.0, 1.0)

    def _skeleton(self) -> HSIGeneNetwork:
        """The network without memory for its weights."""
        with torch.device("meta"):
            return HSIGeneNetwork(**self.architecture)

    def _check_sizes(self, network: HSIGeneNetwork) -> None:
        if self.size < 1 or self.size % network.multiple:
            raise InputError(f"HSIGene's argument size is {self.size}: choose a multiple of {network.multiple}.")
        if len(self.wavelengths) != network.bands:
            raise InputError(
                f"HSIGene's argument wavelengths gives {len(self.wavelengths)} centres for {network.bands} bands: "
                "give one for each band."
            )
        if self.metadata is not None and len(self.metadata) != network.metadata_numbers:
            raise InputError(
                f"HSIGene's argument metadata has {len(self.metadata)} numbers: give {network.metadata_numbers}."
            )

    def _loaded(self) -> HSIGeneNetwork:
        """The network with the checkpoint's weights, read when it is first asked for."""
        if self._network is None:
            if not Path(self.checkpoint).is_file():
                raise MissingFileError(self._no_checkpoint())
            network = self._skeleton().to_empty(device="cpu")
            load_weights(network, self.checkpoint)
            self._network = network.eval().requires_grad_(False)
        return self._network

    def _no_checkpoint(self) -> str:
        return (
            f"HSIGene's checkpoint {self.checkpoint} does not exist: download last.ckpt by the link in the README of "
            "LiPang/HSIGene and give its path."
        )
