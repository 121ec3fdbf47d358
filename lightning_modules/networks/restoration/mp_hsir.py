"""MP-HSIR, multi-prompt universal hyperspectral restoration (Wu et al., arXiv 2503.09131).

A U-shaped network of three levels. Its blocks join window attention with a local and a global spectral attention; the
encoder's features meet prompts made from a sentence that names the task and from a learnt image.

Facts of the published network kept here: the decoder of the first level and the refinement run at twice its channels
with its heads; every level adds its input to its output; the cube is added to the result. The accidents of the text
prompts are named in `layers/text_visual_prompt.py`; `text_mode` chooses. Where all cubes of a batch have one task, as
in this project's training and tests, `published` and `separate` are the same.

The published code encodes its sentences by CLIP at construction and does not save them. Here the embeddings are given
(`text_embedding`), made on first use, or come with a checkpoint of this project. To use the published weights give the
embeddings of the published sentences, in the order of `tasks`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from hyperalign.errors import InputError
from lightning_modules.networks.layers.padding import pad_to_multiple
from lightning_modules.networks.layers.prompted_spectral_block import PromptedSpectralGroup
from lightning_modules.networks.layers.restormer import RESTORMER_NAMES
from lightning_modules.networks.layers.text_embedding import TextEmbedding, TextSource
from lightning_modules.networks.layers.text_visual_prompt import PromptFusion, TextMode, TextVisualPrompt

__all__ = ["MPHSIR"]

TASKS = ("gaussian_noise", "complex_noise", "blur", "super_resolution", "mask", "band_missing")
LEVELS = 3
PROMPT_HEADS = 2


class MPHSIR(nn.Module):
    """Multi-prompt restoration for cubes of a fixed number of bands; any height, width and batch.

    Without arguments this is the published natural-scene network for 31 bands (14 527 484 parameters, of which the
    196 992 of layers that the published forward never uses are frozen). The published remote-sensing network is
    `MPHSIR(input_channels=100, dim=96, tasks=[..., "mask", "haze", "band_missing"])`. Sides that do not divide by four
    windows are continued by reflection and cropped; the published code takes multiples of 32 only.

    One network restores every task; which one is `task`, or `task_id` of `forward`. Super-resolution is restored at
    full size: put the network into `UpsampledInput`.

    Args:
        input_channels: spectral bands C of the cube.
        dim: feature channels of the first level; the levels below have twice and four times as many.
        depths: blocks of the three levels (encoder and decoder alike).
        refinement_depth: blocks after the decoder.
        num_heads: attention heads of the three levels.
        fusion_heads: heads of the blocks that fuse prompts and features, at levels 1 and 2.
        window_size: side of the attention windows in pixels, even.
        mlp_ratio: hidden over feature channels of all feed-forward parts (published: `ffn_expansion_factor`).
        compression: channels per coefficient of the local spectral branches of the three levels.
        spectral_prompts: learnt spectral prompts of each local spectral branch.
        prompt_sizes: sides, in pixels, of the learnt visual prompts of levels 1 and 2.
        drop_path: chance that the branches of the deepest block are left out in training; rises linearly from 0.
        tasks: names of the tasks, in the order of their embeddings.
        task: name or index of the task to restore when `forward` is not told.
        text_channels: coordinates of a sentence's embedding.
        text_embedding: embeddings `tasks x text_channels` as a tensor or lists, or what makes them from the names of
            the tasks when they are first needed, such as `TextPrompts()`; None when a checkpoint has them.
        text_mode: `published` (the prompt of an image depends on the tasks of its batch-mates, see above), `separate`
            (each image as if alone: corrects that for published weights) or `projected` (the paper's linear layer,
            for training anew).

    Raises:
        ValueError: when settings do not fit each other, or the task or text mode is unknown.
        TypeError: when `text_embedding` is neither numbers nor a `TextSource`.
    """

    takes_task = True
    """Whether `forward` is told which of several tasks each cube has, where a batch says it."""

    state_arguments: ClassVar[Sequence[str]] = ("text_embedding",)
    """Constructor arguments whose values are part of the state dict, so that no description repeats them."""

    official_names: ClassVar[Sequence[tuple[str, str]]] = (
        (r"^patch_embed\.proj\.", "embed."),
        (r"^(down|up)(\d_\d)\.body\.", r"\1\2."),
        (r"\.text_prompt_learnable$", ".task_vectors"),
        (r"\.conv_last\.", ".conv."),
        (r"\.norm11\.body\.", ".norm_text."),
        (r"\.norm12\.body\.", ".norm_visual."),
        (r"\.(cross_transformer\.attn)\.kv\.", r".\1.key_value."),
        (r"\.(cross_transformer\.attn)\.kv_dwconv\.", r".\1.key_value_depthwise."),
        (r"\.(cross_transformer\.attn)\.q\.", r".\1.query."),
        (r"\.(cross_transformer\.attn)\.q_dwconv\.", r".\1.query_depthwise."),
        (r"\.gobal_spectral_attn\.qkv_dwconv\.", ".global_attention.depthwise."),
        (r"\.gobal_spectral_attn\.project_out\.", ".global_attention.project."),
        (r"\.gobal_spectral_attn\.", ".global_attention."),
        (r"\.local_spectral_attn\.prompt_param$", ".local_gate.prompts"),
        (r"\.local_spectral_attn\.linear_down\.", ".local_gate.reduce."),
        (r"\.local_spectral_attn\.linear_up\.", ".local_gate.expand."),
        (r"\.local_spectral_attn\.linear_prompt\.", ".local_gate.to_weights."),
        (r"\.local_spectral_attn\.q\.", ".local_gate.query."),
        (r"\.local_spectral_attn\.kv\.", ".local_gate.key_value."),
        (r"\.local_spectral_attn\.proj\.", ".local_gate.project."),
        (r"\.attn\.relative_position_bias_table$", ".attention.bias_table"),
        (r"\.attn\.proj\.", ".attention.project."),
        (r"\.mlp\.fc1\.", ".mlp.expand."),
        (r"\.mlp\.fc2\.", ".mlp.project."),
        *RESTORMER_NAMES,
    )
    official_derived: ClassVar[Sequence[str]] = (r"\.attn_mask$", r"\.relative_position_index$")
    official_absent: ClassVar[Sequence[str]] = ("text.embedding",)

    def __init__(
        self,
        input_channels: int = 31,
        dim: int = 64,
        depths: Sequence[int] = (2, 4, 6),
        refinement_depth: int = 4,
        num_heads: Sequence[int] = (2, 4, 8),
        fusion_heads: Sequence[int] = (4, 8),
        window_size: int = 8,
        mlp_ratio: float = 2.66,
        compression: Sequence[int] = (8, 16, 32),
        spectral_prompts: int = 128,
        prompt_sizes: Sequence[int] = (64, 32),
        drop_path: float = 0.1,
        tasks: Sequence[str] = TASKS,
        task: str | int = "gaussian_noise",
        text_channels: int = 512,
        text_embedding: Tensor | Sequence[Sequence[float]] | TextSource | None = None,
        text_mode: TextMode = "published",
    ) -> None:
        super().__init__()
        _check_levels(depths, num_heads, compression, fusion_heads, prompt_sizes)
        _check_widths(dim, num_heads, compression, fusion_heads, window_size)
        _check_text_mode(text_mode)
        self.input_channels = input_channels
        self.multiple = window_size * 2 ** (LEVELS - 1)
        self.tasks = tuple(tasks)
        self.task = _task_index(task, self.tasks)
        self.text = TextEmbedding(self.tasks, text_channels, text_embedding)
        first, second, third = (dim * 2**level for level in range(LEVELS))
        chances = torch.linspace(0, drop_path, sum(depths), device="cpu").tolist()

        def group(level: int, width: int, rates: Sequence[float]) -> PromptedSpectralGroup:
            return PromptedSpectralGroup(
                width, num_heads[level], window_size, mlp_ratio, compression[level], spectral_prompts, rates
            )

        def prompt(width: int, size: int) -> TextVisualPrompt:
            return TextVisualPrompt(len(self.tasks), width, size, text_channels, PROMPT_HEADS, mlp_ratio, text_mode)

        rates = [chances[: depths[0]], chances[depths[0] : -depths[2]], chances[-depths[2] :]]
        # The published refinement has the rates of the second level.
        last = [chances[min(depths[0] + index, len(chances) - 1)] for index in range(refinement_depth)]
        # Levels are counted from 1, as in the paper and in the published names.
        self.embed = _conv3x3(input_channels, first)
        self.prompt1, self.prompt2 = prompt(first, prompt_sizes[0]), prompt(second, prompt_sizes[1])
        self.fusion1 = PromptFusion(first, fusion_heads[0], mlp_ratio)
        self.fusion2 = PromptFusion(second, fusion_heads[1], mlp_ratio)
        self.encoder_level1 = group(0, first, rates[0])
        self.down1_2 = nn.Sequential(_conv3x3(first, first // 2), nn.PixelUnshuffle(2))
        self.encoder_level2 = group(1, second, rates[1])
        self.down2_3 = nn.Sequential(_conv3x3(second, first), nn.PixelUnshuffle(2))
        self.latent = group(2, third, rates[2])
        self.up3_2 = nn.Sequential(_conv3x3(third, 2 * third), nn.PixelShuffle(2))
        self.reduce_chan_level2 = nn.Conv2d(third, second, kernel_size=1, bias=False)
        self.decoder_level2 = group(1, second, rates[1])
        self.up2_1 = nn.Sequential(_conv3x3(second, 2 * second), nn.PixelShuffle(2))
        self.decoder_level1 = group(0, second, rates[0])
        self.refinement = group(0, second, last)
        self.output = _conv3x3(second, input_channels)

    def forward(self, observation: Tensor, task_id: Tensor | None = None) -> Tensor:
        """Restore a cube.

        Args:
            observation: degraded cube `B x C x H x W`, nominally in [0, 1] but not clipped.
            task_id: index of each cube's task, int64 `B`, or `B x k` for cubes with k tasks at once (their prompts
                are averaged); the constructor's `task` for all when None.

        Returns:
            Restored cube `B x C x H x W`, not clipped.

        Raises:
            ValueError: when `task_id` does not fit the batch or the tasks, or no text embedding is known.
        """
        height, width = observation.shape[-2:]
        weights = self._task_weights(observation, task_id)
        embedding = self.text()
        padded = pad_to_multiple(observation, self.multiple)
        # In channels-last order the blocks' tokens are views of the images.
        level1 = self.encoder_level1(self.embed(padded.contiguous(memory_format=torch.channels_last)))
        level2 = self.encoder_level2(self.down1_2(level1))
        deep = self.up3_2(self.latent(self.down2_3(level2)))
        level2 = self.fusion2(level2, self.prompt2(weights, embedding, level2.shape[-2:]))
        deep = self.up2_1(self.decoder_level2(self.reduce_chan_level2(torch.cat((deep, level2), dim=1))))
        level1 = self.fusion1(level1, self.prompt1(weights, embedding, level1.shape[-2:]))
        deep = self.refinement(self.decoder_level1(torch.cat((deep, level1), dim=1)))
        restored: Tensor = self.output(deep) + padded
        return restored[..., :height, :width]

    def _task_weights(self, observation: Tensor, task_id: Tensor | None) -> Tensor:
        """Share of every task, `B x tasks`; one row for the whole batch when all cubes have the constructor's task."""
        count, device = len(self.tasks), observation.device
        if task_id is None:
            # One row: the prompts of equal tasks are equal and are made once.
            task_id = torch.full((1,), self.task, device=device)
        elif task_id.dim() not in (1, 2) or len(task_id) != len(observation):
            raise InputError(
                f"MPHSIR: task_id is {list(task_id.shape)} for a batch of {len(observation)}; give one index, or one "
                "row of indices, per cube."
            )
        elif bool(((task_id < 0) | (task_id >= count)).any()):
            raise InputError(f"MPHSIR: task_id {task_id.tolist()} leaves 0 to {count - 1} ({', '.join(self.tasks)}).")
        hot = nn.functional.one_hot(task_id.to(device).long().view(len(task_id), -1), count)
        return hot.to(torch.float32).mean(dim=1)


def _conv3x3(channels: int, out_channels: int) -> nn.Conv2d:
    """Make a 3 x 3 convolution without bias that keeps the size."""
    return nn.Conv2d(channels, out_channels, kernel_size=3, padding=1, bias=False)


def _task_index(task: str | int, tasks: Sequence[str]) -> int:
    """Index of a task given by its name or index."""
    if isinstance(task, str) and task in tasks:
        return tasks.index(task)
    if isinstance(task, int) and 0 <= task < len(tasks):
        return task
    raise InputError(f"MPHSIR: task {task!r} is unknown; choose one of {', '.join(tasks)} or an index of them.")


def _check_text_mode(text_mode: str) -> None:
    if text_mode not in ("published", "separate", "projected"):
        raise InputError(f"MPHSIR: text_mode {text_mode!r} is unknown; choose 'published', 'separate' or 'projected'.")


def _check_levels(
    depths: Sequence[int],
    num_heads: Sequence[int],
    compression: Sequence[int],
    fusion_heads: Sequence[int],
    prompt_sizes: Sequence[int],
) -> None:
    """Refuse settings with another number of levels, in one sentence."""
    for name, values, levels in (
        ("depths", depths, LEVELS),
        ("num_heads", num_heads, LEVELS),
        ("compression", compression, LEVELS),
        ("fusion_heads", fusion_heads, LEVELS - 1),
        ("prompt_sizes", prompt_sizes, LEVELS - 1),
    ):
        if len(values) != levels or min(values) < 1:
            raise InputError(f"MPHSIR: {name} {list(values)} must be {levels} positive numbers, one per level.")


def _check_widths(
    dim: int, num_heads: Sequence[int], compression: Sequence[int], fusion_heads: Sequence[int], window_size: int
) -> None:
    """Refuse channels that the heads or the compression do not divide, and odd windows, in one sentence."""
    if window_size < 2 or window_size % 2:
        raise InputError(f"MPHSIR: window_size {window_size} is not even, but odd blocks shift by half; choose 8.")
    if dim % PROMPT_HEADS:
        raise InputError(f"MPHSIR: dim {dim} is odd, but the first downsampling halves it; choose an even dim.")
    for level in range(LEVELS):
        width = dim * 2**level
        if width % num_heads[level] or width % compression[level]:
            raise InputError(
                f"MPHSIR: level {level + 1} has {width} channels, which num_heads {num_heads[level]} or compression "
                f"{compression[level]} do not divide; choose divisors."
            )
        if level < LEVELS - 1 and 2 * width % fusion_heads[level]:
            raise InputError(
                f"MPHSIR: fusion_heads {fusion_heads[level]} do not divide the {2 * width} channels fused at level "
                f"{level + 1}; choose a divisor."
            )
