"""HSIGene's official checkpoint, written down from the published structure: names, shapes, and a plain form on them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

State = dict[str, Tensor]


@dataclass(frozen=True)
class OfficialSizes:
    """The settings of the official configuration file."""

    bands: int = 48
    base: int = 320
    multipliers: tuple[int, ...] = (1, 2, 4, 4)
    attended: int = 3
    context: int = 768
    stem: tuple[int, int, int] = (32, 64, 128)
    inject: tuple[int, ...] = (192, 256, 384, 512)
    coder: int = 64
    coder_blocks: int = 4
    inner: int = 96
    heads: int = 8
    groups: int = 32


SMALL = OfficialSizes(6, 16, (1, 2), 1, 16, (4, 4, 8), (8, 12), 8, 1, 8, 2, 4)
SMALL_ARGUMENTS: dict[str, Any] = {
    "bands": 6,
    "base": 16,
    "multipliers": (1, 2),
    "attended": 1,
    "heads": 2,
    "context": 16,
    "groups": 4,
    "local_stem": (4, 4, 8),
    "local_levels": (8, 12),
    "autoencoder_base": 8,
    "autoencoder_blocks": 1,
    "autoencoder_inner": 8,
}
"""`SMALL` as arguments of `HSIGeneNetwork`."""


GAINS = {
    "diffusion_model.out.2": 4.0,
    "feature_extractor": 2.0,
    "conv_gamma": 2.0,
    "conv_beta": 2.0,
    "zero_convs": 2.0,
    "attn2.to": 2.0,
    "proj_out": 2.0,
    "decoder.conv_out": 0.3,
}
"""What makes conditions matter to random weights, and keeps cubes from being clipped everywhere."""


class OfficialNames:
    """Collects names and shapes of the released checkpoint's entries."""

    def __init__(self, sizes: OfficialSizes) -> None:
        self.sizes = sizes
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.coder("encoder")
        self.coder("decoder")
        self.conv("first_stage_model.quant_conv", 2 * sizes.inner, 8, 1)
        self.conv("first_stage_model.post_quant_conv", 4, sizes.inner, 1)
        self.unet("model.diffusion_model", modulated=False)
        self.unet("local_adapter", modulated=True)
        self.pyramid()
        context = sizes.context
        self.perceptrons("global_content_adapter", (context, 2 * context, 4 * context), (4 * context, 8 * context))
        self.perceptrons("global_text_adapter", (context, 2 * context, context), (2 * context, 8 * context))
        for number in range(7):
            self.linear(f"metadata_emb.mlp_models.{number}.fc1", sizes.base, 4 * sizes.base)

    def conv(self, name: str, channels: int, out: int, kernel: int = 3) -> None:
        self.shapes |= {f"{name}.weight": (out, channels, kernel, kernel), f"{name}.bias": (out,)}

    def linear(self, name: str, channels: int, out: int, bias: bool = True) -> None:
        self.shapes |= {f"{name}.weight": (out, channels)} | ({f"{name}.bias": (out,)} if bias else {})

    def norm(self, name: str, channels: int) -> None:
        self.shapes |= {f"{name}.weight": (channels,), f"{name}.bias": (channels,)}

    def resnet(self, name: str, channels: int, out: int) -> None:
        self.norm(f"{name}.norm1", channels)
        self.conv(f"{name}.conv1", channels, out)
        self.norm(f"{name}.norm2", out)
        self.conv(f"{name}.conv2", out, out)
        if channels != out:
            self.conv(f"{name}.nin_shortcut", channels, out, 1)

    def image_attention(self, name: str, channels: int) -> None:
        self.norm(f"{name}.norm", channels)
        for part in ("q", "k", "v", "proj_out"):
            self.conv(f"{name}.{part}", channels, channels, 1)

    def coder(self, kind: str) -> None:
        name, sizes, down = f"first_stage_model.{kind}", self.sizes, kind == "encoder"
        widths = [sizes.coder * factor for factor in (1, 2, 4)]
        self.conv(f"{name}.conv_in", sizes.bands if down else sizes.inner, widths[0] if down else widths[2])
        self.conv(f"{name}.conv_out", widths[2] if down else widths[0], 2 * sizes.inner if down else sizes.bands)
        self.norm(f"{name}.norm_out", widths[2] if down else widths[0])
        self.resnet(f"{name}.mid.block_1", widths[2], widths[2])
        self.image_attention(f"{name}.mid.attn_1", widths[2])
        self.resnet(f"{name}.mid.block_2", widths[2], widths[2])
        channels = widths[0] if down else widths[2]
        for level in (0, 1, 2) if down else (2, 1, 0):
            prefix = f"{name}.{'down' if down else 'up'}.{level}"
            for block in range(sizes.coder_blocks + (0 if down else 1)):
                self.resnet(f"{prefix}.block.{block}", channels, widths[level])
                channels = widths[level]
                if level == 2:
                    self.image_attention(f"{prefix}.attn.{block}", channels)
            if level != (2 if down else 0):
                self.conv(f"{prefix}.{'downsample' if down else 'upsample'}.conv", channels, channels)

    def residual(self, name: str, channels: int, out: int) -> None:
        self.norm(f"{name}.in_layers.0", channels)
        self.conv(f"{name}.in_layers.2", channels, out)
        self.linear(f"{name}.emb_layers.1", 4 * self.sizes.base, out)
        self.norm(f"{name}.out_layers.0", out)
        self.conv(f"{name}.out_layers.3", out, out)
        if channels != out:
            self.conv(f"{name}.skip_connection", channels, out, 1)

    def modulated(self, name: str, channels: int, out: int, local: int) -> None:
        self.residual(name, channels, out)
        for kind in ("in_layers", "out_layers"):
            del self.shapes[f"{name}.{kind}.0.weight"], self.shapes[f"{name}.{kind}.0.bias"]
        for kind, width in (("norm_in", channels), ("norm_out", out)):
            self.conv(f"{name}.{kind}.fdn.conv_gamma", local, width)
            self.conv(f"{name}.{kind}.fdn.conv_beta", local, width)
            self.conv(f"{name}.{kind}.attention.query_conv", width, width // 8, 1)
            self.conv(f"{name}.{kind}.attention.key_conv", width, width // 8, 1)
            self.conv(f"{name}.{kind}.attention.value_conv", width, width, 1)

    def transformer(self, name: str, channels: int) -> None:
        self.norm(f"{name}.norm", channels)
        self.conv(f"{name}.proj_in", channels, channels, 1)
        self.conv(f"{name}.proj_out", channels, channels, 1)
        block = f"{name}.transformer_blocks.0"
        for number, context in ((1, channels), (2, self.sizes.context)):
            self.linear(f"{block}.attn{number}.to_q", channels, channels, bias=False)
            self.linear(f"{block}.attn{number}.to_k", context, channels, bias=False)
            self.linear(f"{block}.attn{number}.to_v", context, channels, bias=False)
            self.linear(f"{block}.attn{number}.to_out.0", channels, channels)
        for number in (1, 2, 3):
            self.norm(f"{block}.norm{number}", channels)
        self.linear(f"{block}.ff.net.0.proj", channels, 8 * channels)
        self.linear(f"{block}.ff.net.2", 4 * channels, channels)

    def unet(self, name: str, modulated: bool) -> None:
        sizes, channels = self.sizes, self.sizes.base
        self.linear(f"{name}.time_embed.0", channels, 4 * channels)
        self.linear(f"{name}.time_embed.2", 4 * channels, 4 * channels)
        self.conv(f"{name}.input_blocks.0.0", 4, channels)
        given, last = [channels], len(sizes.multipliers) - 1
        for level, multiplier in enumerate(sizes.multipliers):
            for block in range(2):
                prefix = f"{name}.input_blocks.{len(given)}"
                if modulated and block == 0:
                    self.modulated(f"{prefix}.0", channels, multiplier * sizes.base, sizes.inject[level])
                else:
                    self.residual(f"{prefix}.0", channels, multiplier * sizes.base)
                channels = multiplier * sizes.base
                if level < sizes.attended:
                    self.transformer(f"{prefix}.1", channels)
                given.append(channels)
            if level < last:
                self.conv(f"{name}.input_blocks.{len(given)}.0.op", channels, channels)
                given.append(channels)
        self.residual(f"{name}.middle_block.0", channels, channels)
        self.transformer(f"{name}.middle_block.1", channels)
        self.residual(f"{name}.middle_block.2", channels, channels)
        if modulated:
            for number, width in enumerate(given):
                self.conv(f"{name}.zero_convs.{number}.0", width, width, 1)
            self.conv(f"{name}.middle_block_out.0", channels, channels, 1)
            return
        number = 0
        for level in range(last, -1, -1):
            for block in range(3):
                prefix = f"{name}.output_blocks.{number}"
                self.residual(f"{prefix}.0", channels + given.pop(), sizes.multipliers[level] * sizes.base)
                channels = sizes.multipliers[level] * sizes.base
                if level < sizes.attended:
                    self.transformer(f"{prefix}.1", channels)
                if level and block == 2:
                    self.conv(f"{prefix}.{2 if level < sizes.attended else 1}.conv", channels, channels)
                number += 1
        self.norm(f"{name}.out.0", channels)
        self.conv(f"{name}.out.2", channels, 4)

    def pyramid(self) -> None:
        name, (first, second, third) = "local_adapter.feature_extractor", self.sizes.stem
        pairs = ((18, first), (first, second), (second, second), (second, third), (third, third))
        for number, (channels, out) in enumerate(pairs):
            self.conv(f"{name}.pre_extractor.{2 * number}", channels, out)
        channels = third
        for number, out in enumerate(self.sizes.inject):
            self.conv(f"{name}.extractors.{number}.0", channels, out)
            self.conv(f"{name}.zero_convs.{number}", out, out)
            channels = out

    def perceptrons(self, name: str, widths: tuple[int, int, int], hidden: tuple[int, int]) -> None:
        for number in (0, 1):
            self.norm(f"{name}.norm{number + 1}", widths[number])
            self.linear(f"{name}.ff{number + 1}.net.0.proj", widths[number], 2 * hidden[number])
            self.linear(f"{name}.ff{number + 1}.net.2", hidden[number], widths[number + 1])


def small_official_state(seed: int = 0) -> State:
    """Random weights of a small configuration, under official names, none of them zero; conditions matter to them."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in OfficialNames(SMALL).shapes.items():
        spread = 0.3 if len(shape) == 1 else 1.0 / math.sqrt(math.prod(shape[1:]))
        gain = next((gain for part, gain in GAINS.items() if part in name), 1.0) if name.endswith("weight") else 1.0
        state[name] = gain * spread * torch.randn(shape, generator=generator)
    return state


class PlainForm:
    """The published computations, one after the other, on official names (no code is shared with the network)."""

    def __init__(self, state: State, sizes: OfficialSizes = SMALL) -> None:
        self.state = state
        self.sizes = sizes

    def conv(self, name: str, image: Tensor, stride: int = 1) -> Tensor:
        weight = self.state[f"{name}.weight"]
        return functional.conv2d(image, weight, self.state[f"{name}.bias"], stride, weight.shape[-1] // 2)

    def linear(self, name: str, tokens: Tensor) -> Tensor:
        return functional.linear(tokens, self.state[f"{name}.weight"], self.state.get(f"{name}.bias"))

    def group_norm(self, name: str, image: Tensor, epsilon: float) -> Tensor:
        weight, bias = self.state[f"{name}.weight"], self.state[f"{name}.bias"]
        return functional.group_norm(image, self.sizes.groups, weight, bias, epsilon)

    def layer_norm(self, name: str, tokens: Tensor) -> Tensor:
        weight, bias = self.state[f"{name}.weight"], self.state[f"{name}.bias"]
        return functional.layer_norm(tokens, weight.shape, weight, bias)

    def resnet(self, name: str, image: Tensor) -> Tensor:
        inner = self.conv(f"{name}.conv1", functional.silu(self.group_norm(f"{name}.norm1", image, 1e-6)))
        inner = self.conv(f"{name}.conv2", functional.silu(self.group_norm(f"{name}.norm2", inner, 1e-6)))
        shortcut = f"{name}.nin_shortcut"
        return inner + (self.conv(shortcut, image) if f"{shortcut}.weight" in self.state else image)

    def image_attention(self, name: str, image: Tensor) -> Tensor:
        normed = self.group_norm(f"{name}.norm", image, 1e-6)
        query, key, value = (self.conv(f"{name}.{part}", normed).flatten(2) for part in "qkv")
        chances = torch.softmax(torch.einsum("bci,bcj->bij", query, key) / math.sqrt(image.shape[1]), dim=2)
        attended = torch.einsum("bij,bcj->bci", chances, value).reshape(image.shape)
        return image + self.conv(f"{name}.proj_out", attended)

    def middle(self, name: str, image: Tensor) -> Tensor:
        image = self.image_attention(f"{name}.attn_1", self.resnet(f"{name}.block_1", image))
        return self.resnet(f"{name}.block_2", image)

    def encode(self, cube: Tensor) -> Tensor:
        name = "first_stage_model.encoder"
        image = self.conv(f"{name}.conv_in", cube)
        for level in range(3):
            for block in range(self.sizes.coder_blocks):
                image = self.resnet(f"{name}.down.{level}.block.{block}", image)
                if level == 2:
                    image = self.image_attention(f"{name}.down.2.attn.{block}", image)
            if level < 2:
                conv = f"{name}.down.{level}.downsample.conv"
                padded = functional.pad(image, (0, 1, 0, 1))
                image = functional.conv2d(padded, self.state[f"{conv}.weight"], self.state[f"{conv}.bias"], 2)
        image = self.group_norm(f"{name}.norm_out", self.middle(f"{name}.mid", image), 1e-6)
        return self.conv("first_stage_model.quant_conv", self.conv(f"{name}.conv_out", functional.silu(image)))[:, :4]

    def decode(self, latent: Tensor) -> Tensor:
        name = "first_stage_model.decoder"
        image = self.conv(f"{name}.conv_in", self.conv("first_stage_model.post_quant_conv", latent))
        image = self.middle(f"{name}.mid", image)
        for level in (2, 1, 0):
            for block in range(self.sizes.coder_blocks + 1):
                image = self.resnet(f"{name}.up.{level}.block.{block}", image)
                if level == 2:
                    image = self.image_attention(f"{name}.up.2.attn.{block}", image)
            if level:
                image = image.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
                image = self.conv(f"{name}.up.{level}.upsample.conv", image)
        return self.conv(f"{name}.conv_out", functional.silu(self.group_norm(f"{name}.norm_out", image, 1e-6)))

    def perceptron(self, name: str, tokens: Tensor) -> Tensor:
        value, gate = self.linear(f"{name}.net.0.proj", tokens).chunk(2, dim=-1)
        return self.linear(f"{name}.net.2", value * functional.gelu(gate))

    def adapted(self, name: str, tokens: Tensor) -> Tensor:
        tokens = self.perceptron(f"{name}.ff1", self.layer_norm(f"{name}.norm1", tokens))
        return self.perceptron(f"{name}.ff2", self.layer_norm(f"{name}.norm2", tokens))

    def metadata(self, numbers: Tensor) -> Tensor:
        features = self.sizes.base
        total = torch.zeros(len(numbers), 4 * features)
        for number in range(7):
            waves = torch.zeros(len(numbers), features)
            for pair in range(features // 2):
                angle = 1000.0 * numbers[:, number] * 10000.0 ** (-2 * pair / features)
                waves[:, 2 * pair], waves[:, 2 * pair + 1] = angle.sin(), angle.cos()
            total += self.linear(f"metadata_emb.mlp_models.{number}.fc1", waves)
        return total

    def context(self, text: Tensor, content: Tensor, strength: float) -> Tensor:
        tokens = self.adapted("global_content_adapter", content).reshape(len(content), 4, -1)
        return torch.cat([self.adapted("global_text_adapter", text), strength * tokens], dim=1)

    def time(self, name: str, timestep: int, batch: int) -> Tensor:
        half = self.sizes.base // 2
        angles = [timestep * 10000.0 ** (-index / half) for index in range(half)]
        features = torch.tensor([[math.cos(a) for a in angles] + [math.sin(a) for a in angles]] * batch)
        return self.linear(f"{name}.2", functional.silu(self.linear(f"{name}.0", features)))

    def modulation(self, name: str, image: Tensor, local: Tensor) -> Tensor:
        query, key, value = (
            self.conv(f"{name}.attention.{part}_conv", image).flatten(2) for part in ("query", "key", "value")
        )
        chances = torch.softmax(query.transpose(1, 2) @ key, dim=-1)
        image = image + (value @ chances.transpose(1, 2)).reshape(image.shape)
        normed = functional.group_norm(image, self.sizes.groups)
        scale, shift = self.conv(f"{name}.fdn.conv_gamma", local), self.conv(f"{name}.fdn.conv_beta", local)
        return normed * (1 + scale) + shift

    def residual(self, name: str, image: Tensor, time: Tensor, local: Tensor | None) -> Tensor:
        def normed(kind: str, norm: str, features: Tensor) -> Tensor:
            if f"{name}.{kind}.0.weight" in self.state:
                return functional.silu(self.group_norm(f"{name}.{kind}.0", features, 1e-5))
            assert local is not None
            return functional.silu(self.modulation(f"{name}.{norm}", features, local))

        inner = self.conv(f"{name}.in_layers.2", normed("in_layers", "norm_in", image))
        inner = inner + self.linear(f"{name}.emb_layers.1", functional.silu(time))[:, :, None, None]
        inner = self.conv(f"{name}.out_layers.3", normed("out_layers", "norm_out", inner))
        skip = f"{name}.skip_connection"
        return inner + (self.conv(skip, image) if f"{skip}.weight" in self.state else image)

    def attention(self, name: str, tokens: Tensor, context: Tensor) -> Tensor:
        heads = self.sizes.heads
        given = {"q": tokens, "k": context, "v": context}
        parts = [self.linear(f"{name}.to_{part}", one) for part, one in given.items()]
        found = []
        for query, key, value in zip(*(part.chunk(heads, dim=-1) for part in parts), strict=True):
            chances = torch.softmax(query @ key.transpose(1, 2) / math.sqrt(query.shape[-1]), dim=-1)
            found.append(chances @ value)
        return self.linear(f"{name}.to_out.0", torch.cat(found, dim=-1))

    def transformer(self, name: str, image: Tensor, context: Tensor) -> Tensor:
        block = f"{name}.transformer_blocks.0"
        tokens = self.conv(f"{name}.proj_in", self.group_norm(f"{name}.norm", image, 1e-6)).flatten(2).transpose(1, 2)
        normed = self.layer_norm(f"{block}.norm1", tokens)
        tokens = tokens + self.attention(f"{block}.attn1", normed, normed)
        tokens = tokens + self.attention(f"{block}.attn2", self.layer_norm(f"{block}.norm2", tokens), context)
        tokens = tokens + self.perceptron(f"{block}.ff", self.layer_norm(f"{block}.norm3", tokens))
        return image + self.conv(f"{name}.proj_out", tokens.transpose(1, 2).reshape(image.shape))

    def control(self, latent: Tensor, timestep: int, context: Tensor, conditions: Tensor) -> list[Tensor]:
        """What the local adapter adds: to the skips from the shallowest, last to the middle."""
        name, locals_ = "local_adapter", []
        features = conditions
        for number, stride in enumerate((1, 2, 1, 2, 1)):
            prefix = f"{name}.feature_extractor.pre_extractor.{2 * number}"
            features = functional.silu(self.conv(prefix, features, stride))
        for number in range(len(self.sizes.inject)):
            features = functional.silu(self.conv(f"{name}.feature_extractor.extractors.{number}.0", features, 2))
            locals_.append(self.conv(f"{name}.feature_extractor.zero_convs.{number}", features))
        time = self.time(f"{name}.time_embed", timestep, len(latent))
        image, found = latent, []
        for number in range(3 * len(self.sizes.multipliers)):
            prefix = f"{name}.input_blocks.{number}"
            if number == 0:
                image = self.conv(f"{prefix}.0", image)
            elif number % 3 == 0:
                image = self.conv(f"{prefix}.0.op", image, 2)
            else:
                image = self.residual(f"{prefix}.0", image, time, locals_[number // 3])
                if f"{prefix}.1.norm.weight" in self.state:
                    image = self.transformer(f"{prefix}.1", image, context)
            found.append(self.conv(f"{name}.zero_convs.{number}.0", image))
        image = self.residual(f"{name}.middle_block.0", image, time, None)
        image = self.transformer(f"{name}.middle_block.1", image, context)
        image = self.residual(f"{name}.middle_block.2", image, time, None)
        return [*found, self.conv(f"{name}.middle_block_out.0", image)]
