"""PromptIR, prompting for all-in-one restoration (Potlapalli et al., NeurIPS 2023, arXiv 2306.13090), for cubes.

A Restormer encoder and decoder of four levels; before each of the three upsamplings a prompt block makes a map from the
features, and a transformer block lets the two interact.

Facts of the published network kept here: all three interaction blocks have the heads of the third level; after the
interaction the second level is widened to the third level's channels; prompt maps have 64, 32 and 16 pixels at levels
1, 2 and 3 and are resized to the features; the cube is added to the output. The published class must be built with
`decoder=True` (without it its channels do not fit); that is the only form here.

The published state dict holds layers that the published forward never uses, `chnl_reduce1..3` and
`reduce_noise_channel_1..3` (215 296 of its 35 628 551 parameters for 31 bands). This network has no such layers, and
loading an official checkpoint drops them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from hyperalign.errors import InputError
from lightning_modules.networks.layers.padding import pad_to_multiple
from lightning_modules.networks.layers.prompt_block import PromptBlock
from lightning_modules.networks.layers.restormer import RESTORMER_NAMES, RestormerBlock

__all__ = ["PromptIR"]

SIZE_MULTIPLE = 8  # three halvings


class DecoderLevel(nn.Module):
    """Prompt block, interaction block ("PIM", section 3.2), upsampling, skip connection and blocks of one level.

    Args:
        prompt: prompt block for `deep` feature channels.
        interaction: transformer block for the features and the prompt together.
        deep: channels of the features that come from below.
        raised: channels that the interaction is reduced to and that the upsampling halves.
        skip: channels of the encoder's features.
        blocks: transformer blocks of the level; their channels are `raised // 2 + skip` without `width`.
        width: channels that upsampled and encoder features are reduced to, where they are.
    """

    def __init__(
        self,
        prompt: PromptBlock,
        interaction: RestormerBlock,
        deep: int,
        raised: int,
        skip: int,
        blocks: nn.Sequential,
        width: int | None,
    ) -> None:
        super().__init__()
        self.prompt = prompt
        self.interaction = interaction
        self.reduce = nn.Conv2d(deep + prompt.conv.out_channels, raised, kernel_size=1, bias=False)
        self.up = nn.Sequential(_conv3x3(raised, 2 * raised), nn.PixelShuffle(2))
        self.join: nn.Module = nn.Identity()
        if width is not None:
            self.join = nn.Conv2d(raised // 2 + skip, width, kernel_size=1, bias=False)
        self.blocks = blocks

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        """Map features `B x deep x H x W` and `B x skip x 2H x 2W` to the level's `B x C x 2H x 2W`."""
        prompted = self.interaction(torch.cat([deep, self.prompt(deep)], dim=1))
        joined = self.join(torch.cat([self.up(self.reduce(prompted)), skip], dim=1))
        decoded: Tensor = self.blocks(joined)
        return decoded


class PromptIR(nn.Module):
    """PromptIR for cubes of a fixed number of bands; any height, width and batch.

    Without arguments this is the published network for 31 bands (35 413 255 used parameters). Sides that do not divide
    by 8 are continued by reflection and cropped; the published code takes multiples of 8 only.

    Args:
        input_channels: spectral bands C of the cube.
        dim: channels of the first level's encoder features, even; level k has `2^(k-1)` times as many.
        num_blocks: transformer blocks of the encoder's four levels; the decoder's three have as many.
        num_refinement_blocks: transformer blocks after the decoder.
        num_heads: attention heads of the four levels.
        interaction_heads: attention heads of the three prompt interaction blocks.
        expansion: hidden over feature channels of the feed-forward networks (published: `ffn_expansion_factor`).
        bias: whether the transformer blocks' convolutions have a bias.
        norm_bias: whether layer norms remove the mean and have a bias (published: `LayerNorm_type` `WithBias`).
        prompt_channels: channels of the prompt maps of levels 1, 2 and 3.
        prompt_sizes: sides, in pixels, of the learnt prompt maps of levels 1, 2 and 3.
        prompts: learnt maps of each level, mixed by weights that the features predict.

    Raises:
        ValueError: when a setting has the wrong number of levels, dim is odd, or heads do not divide their channels.
    """

    official_names: ClassVar[Sequence[tuple[str, str]]] = (
        (r"^patch_embed\.proj\.", "embed."),
        (r"^encoder_level(\d)\.", r"encoder\1."),
        (r"^down(\d)_\d\.body\.", r"down\1."),
        (r"^prompt(\d)\.prompt_param$", r"decoder\1.prompt.maps"),
        (r"^prompt(\d)\.linear_layer\.", r"decoder\1.prompt.to_weights."),
        (r"^prompt(\d)\.conv3x3\.", r"decoder\1.prompt.conv."),
        (r"^noise_level(\d)\.", r"decoder\1.interaction."),
        (r"^reduce_noise_level(\d)\.", r"decoder\1.reduce."),
        (r"^up\d_(\d)\.body\.", r"decoder\1.up."),
        (r"^reduce_chan_level(\d)\.", r"decoder\1.join."),
        (r"^decoder_level(\d)\.", r"decoder\1.blocks."),
        *RESTORMER_NAMES,
    )
    official_derived: ClassVar[Sequence[str]] = (r"^chnl_reduce\d\.", r"^reduce_noise_channel_\d\.")

    def __init__(
        self,
        input_channels: int = 31,
        dim: int = 48,
        num_blocks: Sequence[int] = (4, 6, 6, 8),
        num_refinement_blocks: int = 4,
        num_heads: Sequence[int] = (1, 2, 4, 8),
        interaction_heads: int = 4,
        expansion: float = 2.66,
        bias: bool = False,
        norm_bias: bool = True,
        prompt_channels: Sequence[int] = (64, 128, 320),
        prompt_sizes: Sequence[int] = (64, 32, 16),
        prompts: int = 5,
    ) -> None:
        super().__init__()
        if dim % 2:
            raise InputError(f"PromptIR: dim {dim} is odd, but the first downsampling halves it; choose an even dim.")
        _check_levels(num_blocks, num_heads, prompt_channels, prompt_sizes)
        self.input_channels = input_channels
        first, second, third, fourth = (dim * factor for factor in (1, 2, 4, 8))

        def blocks(width: int, heads: int, count: int) -> nn.Sequential:
            return nn.Sequential(*(RestormerBlock(width, heads, expansion, bias, norm_bias) for _ in range(count)))

        def decoder(level: int, deep: int, raised: int, skip: int, width: int | None) -> DecoderLevel:
            extra, size = prompt_channels[level - 1], prompt_sizes[level - 1]
            prompt = PromptBlock(deep, extra, size, prompts)
            interaction = RestormerBlock(deep + extra, interaction_heads, expansion, bias, norm_bias)
            inside = blocks(width or raised // 2 + skip, num_heads[level - 1], num_blocks[level - 1])
            return DecoderLevel(prompt, interaction, deep, raised, skip, inside, width)

        # Levels are counted from 1, as in the paper and in the published names.
        self.embed = _conv3x3(input_channels, first)
        self.encoder1 = blocks(first, num_heads[0], num_blocks[0])
        self.down1 = nn.Sequential(_conv3x3(first, first // 2), nn.PixelUnshuffle(2))
        self.encoder2 = blocks(second, num_heads[1], num_blocks[1])
        self.down2 = nn.Sequential(_conv3x3(second, first), nn.PixelUnshuffle(2))
        self.encoder3 = blocks(third, num_heads[2], num_blocks[2])
        self.down3 = nn.Sequential(_conv3x3(third, second), nn.PixelUnshuffle(2))
        self.latent = blocks(fourth, num_heads[3], num_blocks[3])
        self.decoder3 = decoder(3, deep=fourth, raised=third, skip=third, width=third)
        self.decoder2 = decoder(2, deep=third, raised=third, skip=second, width=second)
        self.decoder1 = decoder(1, deep=second, raised=second, skip=first, width=None)
        self.refinement = blocks(second, num_heads[0], num_refinement_blocks)
        self.output = _conv3x3(second, input_channels)

    def forward(self, observation: Tensor) -> Tensor:
        """Restore a cube.

        Args:
            observation: degraded cube `B x C x H x W`, nominally in [0, 1].

        Returns:
            Restored cube `B x C x H x W`, not clipped.
        """
        height, width = observation.shape[-2:]
        padded = pad_to_multiple(observation, SIZE_MULTIPLE)
        # In channels-last order the norms and attentions of all blocks work without copies.
        level1 = self.encoder1(self.embed(padded.contiguous(memory_format=torch.channels_last)))
        level2 = self.encoder2(self.down1(level1))
        level3 = self.encoder3(self.down2(level2))
        deep = self.latent(self.down3(level3))
        deep = self.decoder3(deep, level3)
        deep = self.decoder2(deep, level2)
        deep = self.decoder1(deep, level1)
        restored: Tensor = self.output(self.refinement(deep)) + padded
        return restored[..., :height, :width]


def _conv3x3(channels: int, out_channels: int) -> nn.Conv2d:
    """Make a 3 x 3 convolution without bias that keeps the size."""
    return nn.Conv2d(channels, out_channels, kernel_size=3, padding=1, bias=False)


def _check_levels(
    num_blocks: Sequence[int], num_heads: Sequence[int], prompt_channels: Sequence[int], prompt_sizes: Sequence[int]
) -> None:
    """Refuse settings with another number of levels, in one sentence."""
    for name, values, levels in (
        ("num_blocks", num_blocks, 4),
        ("num_heads", num_heads, 4),
        ("prompt_channels", prompt_channels, 3),
        ("prompt_sizes", prompt_sizes, 3),
    ):
        if len(values) != levels:
            raise InputError(f"PromptIR: {name} {list(values)} has {len(values)} values; give {levels}, one per level.")
