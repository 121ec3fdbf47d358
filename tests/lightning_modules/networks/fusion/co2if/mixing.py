"""Images, captions, guides and blocks on which the mixers of CO2IF are tested."""

from __future__ import annotations

from typing import Any, get_args

import torch
from torch import Tensor

from lightning_modules.networks.fusion.co2if.comamba import BlockSettings, CoMambaBlock
from lightning_modules.networks.fusion.co2if.guidance import Guidance
from lightning_modules.networks.fusion.co2if.mixers import (
    MixerName,
)
from tests.lightning_modules.networks.fusion.co2if.samples import random_tokens

MIXERS = get_args(MixerName)


LATTICE = (12, 10)


def image(channels: int, seed: int = 0) -> Tensor:
    """Two normal images `2 x channels x 12 x 10`."""
    drawn: Tensor = random_tokens(2, channels, LATTICE[0] * LATTICE[1], seed).unflatten(2, LATTICE)
    return drawn


def text() -> tuple[Tensor, Tensor]:
    """Seven text tokens of five channels, of which the second caption uses three."""
    return random_tokens(2, 7, 5, 2), torch.arange(7)[None] < torch.tensor([[7], [3]])


def block(mixer: MixerName, **settings: Any) -> CoMambaBlock:  # noqa: ANN401
    """A block of eight channels with weights of its own seed."""
    torch.manual_seed(0)
    expand = settings.pop("expand", 1)
    return CoMambaBlock(BlockSettings(8, mixer, expand, 2.0, 3, 2, 0.1, 0.1, "auto"), **settings)


def guidance(weighted: bool = True) -> Guidance:
    """Everything that a decoder block may be given."""
    tokens, mask = text()
    return Guidance(image(8, 1), tokens, mask, image(8, 3) if weighted else None)
