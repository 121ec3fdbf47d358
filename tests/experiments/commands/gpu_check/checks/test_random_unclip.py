"""unCLIP's random components fit together."""

from __future__ import annotations

import torch

from callbacks.guides.unclip_parts import MODULES
from experiments.commands.gpu_check.checks.random_unclip import FULL, TINY, random_parts


def test_tiny_parts_are_those_of_a_checkpoint() -> None:
    parts = random_parts(TINY, torch.float32, torch.device("cpu"))
    assert set(parts.modules) == set(MODULES)
    assert (parts.factor, parts.multiple, parts.native) == (2, 4, 32)


def test_full_size_has_the_published_networks_numbers() -> None:
    parts = random_parts(FULL, torch.bfloat16, torch.device("meta"))
    millions = {name: sum(one.numel() for one in parts.modules[name].parameters()) / 1e6 for name in MODULES}
    # Published: a UNet of 866 million numbers with 2 x 768 more class labels, ViT-L/14 with its projection.
    assert 866 < millions["unet"] < 872
    assert 303 < millions["image_encoder"] < 305
    assert 83 < millions["vae"] < 84
    assert parts.native == 768
