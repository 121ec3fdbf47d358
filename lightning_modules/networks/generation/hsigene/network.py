"""HSIGene (Pang et al., arXiv 2409.12470): all parts of the published generator of 48-band cubes in one network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from hyperalign.errors import InputError
from lightning_modules.networks.generation.hsigene.autoencoder import CubeAutoencoder
from lightning_modules.networks.generation.hsigene.global_adapters import (
    ContentAdapter,
    MetadataEmbedding,
    TextAdapter,
)
from lightning_modules.networks.generation.hsigene.local_adapter import LocalAdapter
from lightning_modules.networks.generation.hsigene.official_names import OFFICIAL_NAMES, OTHER_ENTRIES
from lightning_modules.networks.generation.hsigene.sampling import sample_latent
from lightning_modules.networks.generation.hsigene.unet import ConditionedUNet, UNetWidths

__all__ = ["LOCAL_SLOTS", "Conditions", "HSIGeneNetwork", "local_images"]

LOCAL_SLOTS = {"hed": 0, "segmentation": 2, "sketch": 4, "mlsd": 5}
"""Which of the six RGB slots each kind of condition image has; slots 1 and 3 are unused."""

SLOTS = 6


def local_images(given: Mapping[str, Tensor], side: int) -> Tensor:
    """Put condition images into their slots, zeros elsewhere.

    Args:
        given: images `B x 3 x H x W` in [0, 1] by slot: hed, segmentation, sketch, mlsd; resized bilinearly.
        side: of the condition images, in pixels: twice the cube's.

    Returns:
        `B x 18 x side x side`, B = 1 where nothing is given.

    Raises:
        ValueError: for an unknown slot or another shape.
    """
    batch = next((image.shape[0] for image in given.values()), 1)
    device = next((image.device for image in given.values()), torch.device("cpu"))
    slots = torch.zeros(batch, SLOTS, 3, side, side, device=device)
    for slot, image in given.items():
        if slot not in LOCAL_SLOTS:
            raise InputError(f"HSIGene has no local condition {slot!r}: choose one of {', '.join(LOCAL_SLOTS)}.")
        if image.ndim != 4 or image.shape[:2] != (batch, 3):
            raise InputError(
                f"HSIGene's local condition {slot} has shape {tuple(image.shape)}: give {batch} x 3 x H x W in [0, 1]."
            )
        slots[:, LOCAL_SLOTS[slot]] = functional.interpolate(image.float(), size=(side, side), mode="bilinear")
    return slots.flatten(1, 2)


@dataclass(frozen=True)
class Conditions:
    """What steers the noise predictor, the same at every timestep.

    Attributes:
        context: `B x 81 x 768` tokens: 77 of the text, four of the content.
        metadata: `B x 1280`, added to the time embedding.
        local: features of the condition images, one for each level of the local adapter.
    """

    context: Tensor
    metadata: Tensor
    local: tuple[Tensor, ...]


class HSIGeneNetwork(nn.Module):
    """Latent diffusion of cubes, steered by text, image content, metadata and condition images.

    Without arguments this is the published network: 1 380 533 228 parameters, the frozen text encoder not counted.
    It is used with the released weights; the initial ones are PyTorch's and mean nothing.

    Args:
        bands: of the cubes.
        latent: channels of the latent.
        base: channels of the UNet's first level, a multiple of `groups` and of 8.
        multipliers: channels of the UNet's levels over `base`.
        blocks: residual blocks of a UNet level.
        attended: levels with transformers, from the first one.
        heads: attention heads of the transformers.
        context: width of the text tokens and of the content embedding.
        groups: of the group normalisations.
        local_stem: channels of the condition images' pyramid before its levels (three).
        local_levels: channels of the pyramid's features, one for each UNet level.
        metadata_numbers: numbers of the metadata.
        autoencoder_base: channels of the autoencoder's first level.
        autoencoder_multipliers: channels of its levels over that; three make a latent of a quarter of the side.
        autoencoder_blocks: residual blocks of a level of its encoder.
        autoencoder_inner: channels between its coders and the 1 x 1 convolutions beside the latent.

    Raises:
        ValueError: unless there is one local level for each UNet level.
    """

    scale: ClassVar[float] = 0.18215
    """What a latent is multiplied with for the diffusion."""

    official_names: ClassVar[Sequence[tuple[str, str]]] = OFFICIAL_NAMES
    official_derived: ClassVar[Sequence[str]] = (OTHER_ENTRIES,)

    def __init__(
        self,
        bands: int = 48,
        latent: int = 4,
        base: int = 320,
        multipliers: Sequence[int] = (1, 2, 4, 4),
        blocks: int = 2,
        attended: int = 3,
        heads: int = 8,
        context: int = 768,
        groups: int = 32,
        local_stem: Sequence[int] = (32, 64, 128),
        local_levels: Sequence[int] = (192, 256, 384, 512),
        metadata_numbers: int = 7,
        autoencoder_base: int = 64,
        autoencoder_multipliers: Sequence[int] = (1, 2, 4),
        autoencoder_blocks: int = 4,
        autoencoder_inner: int = 96,
    ) -> None:
        super().__init__()
        if len(local_levels) != len(multipliers):
            raise InputError(
                f"HSIGene's local_levels {list(local_levels)} are {len(local_levels)}: give one for each of the "
                f"{len(multipliers)} UNet levels."
            )
        widths = UNetWidths(latent, base, tuple(multipliers), blocks, attended, heads, context, groups)
        self.bands = bands
        self.latent_channels = latent
        self.context_width = context
        self.metadata_numbers = metadata_numbers
        self.reduction = 2 ** (len(autoencoder_multipliers) - 1)
        self.multiple = self.reduction * 2 ** (len(multipliers) - 1)
        self.autoencoder = CubeAutoencoder(
            bands,
            autoencoder_base,
            autoencoder_multipliers,
            autoencoder_blocks,
            autoencoder_inner,
            latent,
            groups,
        )
        self.unet = ConditionedUNet(widths)
        self.local_adapter = LocalAdapter(widths, 3 * SLOTS, local_stem, local_levels)
        self.content_adapter = ContentAdapter(context)
        self.text_adapter = TextAdapter(context)
        self.metadata_embedding = MetadataEmbedding(metadata_numbers, base, widths.embedding)

    def conditions(
        self,
        text: Tensor,
        content: Tensor | None = None,
        metadata: Tensor | None = None,
        local: Tensor | None = None,
        *,
        side: int = 256,
        strength: float = 1.0,
    ) -> Conditions:
        """Adapt the conditions of B cubes.

        Args:
            text: last hidden state of CLIP's text encoder, `B x 77 x 768`.
            content: CLIP's embedding of an image, `B x 768`; zeros where None, which are adapted like any other.
            metadata: `B x 7`; zeros where None, as published.
            local: condition images `B x 18 x 2 side x 2 side` in [0, 1], see `local_images`; zeros where None.
            side: of the cubes, in pixels.
            strength: factor on the content's tokens.

        Raises:
            ValueError: where the text or the content is of another width, or the side is not a multiple of 32.
        """
        if side < 1 or side % self.multiple:
            raise InputError(f"HSIGene's argument size is {side}: choose a multiple of {self.multiple}.")
        batch = text.shape[0]
        content = text.new_zeros(batch, self.context_width) if content is None else content
        for name, embedding in (("text", text), ("content", content)):
            if embedding.shape[-1] != self.context_width:
                raise InputError(
                    f"HSIGene's {name} embedding is {embedding.shape[-1]} wide and the network's context "
                    f"{self.context_width}: take the encoders of openai/clip-vit-large-patch14."
                )
        if metadata is None:
            metadata = text.new_zeros(batch, self.metadata_numbers)
        if local is None:
            # the same for all cubes, so it is computed once
            local = text.new_zeros(1, 3 * SLOTS, 2 * side, 2 * side)
        context = torch.cat([self.text_adapter(text), strength * self.content_adapter(content)], dim=1)
        features = tuple(level.expand(batch, -1, -1, -1) for level in self.local_adapter.pyramid(local))
        return Conditions(context, self.metadata_embedding(metadata), features)

    def forward(self, latent: Tensor, timestep: int, conditions: Conditions) -> Tensor:
        """Predict the noise in a `B x 4 x h x w` latent at a timestep of 0 to 999."""
        timesteps = torch.full((latent.shape[0],), timestep, device=latent.device)
        control = self.local_adapter(latent, timesteps, conditions.context, conditions.local)
        noise: Tensor = self.unet(latent, timesteps, conditions.metadata, conditions.context, control)
        return noise

    @torch.no_grad()
    def generate(
        self,
        start: Tensor,
        conditions: Conditions,
        steps: int = 50,
        guidance: float = 1.0,
        unconditional: Conditions | None = None,
    ) -> Tensor:
        """Generate B cubes.

        Args:
            start: standard normal noise, `B x 4 x H/4 x W/4`.
            conditions: of the B cubes.
            steps: of DDIM.
            guidance: scale of classifier-free guidance; 1, as published, is none and takes half the time.
            unconditional: what guidance leads away from; needed unless `guidance` is 1.

        Returns:
            `B x bands x H x W`, clipped to [0, 1].

        Raises:
            ValueError: for guidance without unconditional conditions, or steps out of their range.
        """
        if guidance != 1.0 and unconditional is None:
            raise InputError(f"HSIGene's guidance {guidance:g} needs unconditional conditions: give them.")

        def predict_noise(sample: Tensor, timestep: int) -> Tensor:
            noise: Tensor = self(sample, timestep, conditions)
            if guidance == 1.0 or unconditional is None:
                return noise
            without: Tensor = self(sample, timestep, unconditional)
            return without + guidance * (noise - without)

        return self.decode(sample_latent(predict_noise, start, steps))

    def encode(self, cube: Tensor) -> Tensor:
        """Map a `B x bands x H x W` cube in [0, 1] to its scaled latent, `B x 4 x H/4 x W/4`."""
        encoded: Tensor = self.autoencoder.encode(2.0 * cube - 1.0)
        return self.scale * encoded

    def decode(self, latent: Tensor) -> Tensor:
        """Map a scaled latent, `B x 4 x h x w`, to a `B x bands x 4h x 4w` cube, clipped to [0, 1]."""
        decoded: Tensor = self.autoencoder.decode(latent / self.scale)
        return (0.5 * decoded + 0.5).clamp(0.0, 1.0)
