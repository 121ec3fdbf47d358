"""What the tests of HSIGene's parts draw."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_modules.networks.generation.hsigene.network import Conditions, HSIGeneNetwork

SIDE = 32


def draw(*shape: int, seed: int = 1) -> Tensor:
    """Normal values of this seed."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def drawn_conditions(network: HSIGeneNetwork, batch: int = 2, seed: int = 5) -> Conditions:
    """Conditions of a small network, all of them given."""
    local = draw(batch, 18, 2 * SIDE, 2 * SIDE, seed=seed).sigmoid()
    text, content, metadata = draw(batch, 77, 16, seed=seed), draw(batch, 16, seed=seed), draw(batch, 7, seed=seed)
    return network.conditions(text, content, metadata, local, side=SIDE)
