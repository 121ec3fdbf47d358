"""Every network by its stem: a compact form that a CPU compares with, and what it is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import yaml
from torch import Tensor, nn

import lightning_modules
from experiments.configuration.files import PACKAGED
from hyperalign.seeding import generator_for

BANDS, CHANNELS = 31, 3
SCALE = 4
"""Of the networks that enlarge."""

RESTORATION: dict[str, dict[str, Any]] = {
    "bi3dqrnn": {"channels": 4, "depth": 2, "strided_layers": (1,)},
    "essaformer": {"dim": 16, "dropout": 0.0},
    "gdrrn": {"channels": 16, "recursions": 3},
    "grn": {"dim": 8, "num_levels": 2},
    "mcnet": {"features": 8},
    "mp_hsir": {
        "dim": 8,
        "depths": (2, 1, 1),
        "refinement_depth": 1,
        "num_heads": (2, 2, 2),
        "fusion_heads": (2, 2),
        "window_size": 4,
        "compression": (1, 2, 4),
        "spectral_prompts": 8,
        "prompt_sizes": (8, 4),
        "drop_path": 0.0,
        "text_channels": 8,
    },
    "promptir": {
        "dim": 4,
        "num_blocks": (1, 1, 1, 1),
        "num_refinement_blocks": 1,
        "num_heads": (1, 2, 2, 4),
        "interaction_heads": 2,
        "prompt_channels": (4, 6, 8),
        "prompt_sizes": (8, 4, 2),
        "prompts": 3,
    },
    "sert": {"dim": 16, "window_sizes": (8,), "depths": (2,), "num_heads": (2,), "split_sizes": (2,)},
    "sfcsr": {"features": 8, "stages": 2},
    "ssumamba": {
        "features": (4, 8, 8),
        "strides": (1, 2, 2),
        "band_kernels": (1, 3, 3),
        "encoder_blocks": (2, 1, 1),
        "decoder_blocks": (2, 1),
        "token_orders": ("bhw", "wbh", "hbw"),
        "state_dim": 4,
    },
    "t3sc": {"code_sizes": (16, 48), "patch_sides": (1, 3), "ranks": (1, 2), "iterations": (4, 3)},
    "trq3d": {"channels": 4, "depth": 2, "strided_layers": (1,), "num_heads": 2, "window_size": 4},
}
"""What makes each packaged restoration network small."""

FUSION: dict[str, dict[str, Any]] = {
    "bdt": {"dim": 16, "spectral_dim": 16},
    "fusionmamba": {"dim": 8, "state_dim": 4},
    "s2cyclediff": {"inner": 16, "groups": 4, "multipliers": (1, 2), "blocks": 1, "steps": 3},
    "srlf": {"stages": 1, "dropout": 0.0},
    "sstf_unet": {"levels": 1, "drop_path": 0.0},
    "co2if": {
        "dim": 24,
        "encoder_blocks": 1,
        "decoder_blocks": 1,
        "feed_forward": 2.0,
        "state_dim": 4,
        "text_width": 32,
        "image_width": 32,
        "embedding_width": 32,
    },
}
"""The same of the fusion networks."""


def built(stem: str, *, compact: bool, bands: int = BANDS, **changes: Any) -> nn.Module:  # noqa: ANN401
    """Build a network from fixed random weights, as its packaged configuration has it.

    Args:
        stem: of its configuration.
        compact: whether it is made small.
        bands: of the cubes it is for.
        **changes: arguments of the network's constructor that are to be others.
    """
    torch.manual_seed(0)
    if stem == "co2if":
        return lightning_modules.CO2IF(input_channels=bands, **((FUSION[stem] if compact else {}) | changes))
    folder = "fusion" if stem in FUSION else "backbones"
    text = (PACKAGED / folder / f"{stem}.yaml").read_text(encoding="utf-8")
    network = yaml.safe_load(text)["model"]["init_args"]["network"]
    return _built(network, ((FUSION | RESTORATION)[stem] if compact else {}) | changes, bands)


def _built(network: dict[str, Any], changes: dict[str, Any], bands: int) -> nn.Module:
    name = network["class_path"].rpartition(".")[2]
    kind: Callable[..., nn.Module] = getattr(lightning_modules, name)
    settings = dict(network.get("init_args", {}))
    if "network" in settings:
        return kind(**(settings | {"network": _built(settings["network"], changes, bands)}))
    settings |= changes
    if "input_channels" in settings:
        settings["input_channels"] = bands
    if "text_embedding" in settings:
        # In place of what a text encoder says of the tasks.
        width, tasks = settings.get("text_channels", 512), len(settings["tasks"])
        settings["text_embedding"] = torch.randn(tasks, width, generator=generator_for("gpu-check text"))
    return kind(**settings)


def enlarges(stem: str) -> bool:
    """Tell whether a restoration network enlarges its cube."""
    return stem in {"bi3dqrnn", "essaformer", "gdrrn", "mcnet", "sfcsr"}


def inputs_of(stem: str, side: int, batch: int = 1, *, text_width: int = 0, bands: int = BANDS) -> list[Tensor]:
    """Draw what a network is given for a target of `side` x `side` pixels, smooth and in [0, 1].

    Args:
        stem: of the network.
        side: of the target in pixels.
        batch: cubes.
        text_width: of CO2IF's tokens.
        bands: of the cubes.
    """
    if stem not in FUSION:
        small = side // SCALE if enlarges(stem) else side
        return [smooth(batch, bands, small)]
    cube = smooth(batch, bands, side)
    low = nn.functional.avg_pool2d(cube, 8)
    images = [low, cube[:, [bands // 6, bands // 2, 5 * bands // 6]].contiguous()]
    if text_width:
        images.append(torch.randn(batch, 77, text_width, generator=generator_for("gpu-check tokens")))
    return images


def smooth(batch: int, channels: int, side: int) -> Tensor:
    """Draw images `B x C x side x side` in [0, 1] with structure and noise."""
    generator = generator_for("gpu-check images", batch, channels, side)
    place = torch.linspace(0, 6, side)
    phase = 6 * torch.rand(batch, channels, 1, 1, generator=generator)
    waves = torch.sin(place[:, None] + phase) * torch.cos(place - phase)
    noise = torch.rand(batch, channels, side, side, generator=generator)
    return (0.5 + 0.4 * waves + 0.1 * noise).clamp(0, 1)
