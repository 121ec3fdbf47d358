"""Spectral memory: one gate per window and channel, made from the window's mean."""

from __future__ import annotations

import torch
from torch.nn import functional

from lightning_modules.networks.layers.spectral_memory import SpectralMemory


def test_gates_are_shared_inside_a_window_and_depend_on_its_mean_only() -> None:
    torch.manual_seed(0)
    memory = SpectralMemory(channels=8, window=4, slots=5, reduction=2)
    features = torch.rand(2, 8, 12, 8)
    with torch.no_grad():
        mixed = memory.expand(functional.gelu(memory.squeeze(features)))
        gates = memory(features) / mixed
        tiles = gates.view(2, 2, 4, 3, 4, 8)
        assert torch.allclose(tiles, tiles[:, :, :1, :, :1], rtol=1e-4)
        assert bool(((gates > 0) & (gates < 1)).all())
        mean = mixed[1, 4:8, 8:12].mean((0, 1))
        weights = torch.softmax(memory.to_rank(mean) @ memory.memory / 4**0.5, dim=0)
        gate = torch.sigmoid(memory.to_gate(memory.memory @ weights))
        assert torch.allclose(tiles[1, 1, 0, 2, 0], gate, rtol=1e-4)


def test_published_shapes() -> None:
    shapes = {name: tuple(tensor.shape) for name, tensor in SpectralMemory(96, 16).state_dict().items()}
    assert shapes["memory"] == (12, 128)
    assert shapes["squeeze.weight"] == (24, 96)
    assert shapes["to_rank.weight"] == (12, 96)
