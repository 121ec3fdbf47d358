"""A frozen network restores as its module would: mode, precision, tiles and the weights of its round."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from lightning_modules.restorer import NetworkRestorer
from tests.callbacks.tiny import MiniNetwork, tiny_module


def test_restoring_changes_neither_mode_nor_gradients_and_takes_any_precision() -> None:
    network = nn.Sequential(nn.Dropout(0.5), nn.Conv2d(2, 2, 1), nn.Dropout(0.5)).double()
    network[2].eval()
    restorer = NetworkRestorer(network)
    batch = {"observation": torch.rand(1, 2, 8, 8), "name": ["a"]}
    first, second = restorer.restore(batch), restorer.restore(batch)
    assert torch.equal(first, second)
    assert (first.dtype, first.requires_grad) == (torch.float64, False)
    assert [layer.training for layer in network] == [True, True, False]


def test_tiles_are_the_restorers_own_unless_others_are_asked_for() -> None:
    sizes: list[int] = []

    class Recording(nn.Module):
        def forward(self, observation: torch.Tensor) -> torch.Tensor:
            sizes.append(observation.shape[-1])
            return observation

    restorer, batch = NetworkRestorer(Recording(), tile=16), {"observation": torch.rand(1, 2, 24, 24)}
    torch.testing.assert_close(restorer.restore(batch), batch["observation"])
    assert set(sizes) == {16}
    sizes.clear()
    restorer.restore(batch, 32)
    assert sizes == [24]


def test_a_round_restores_with_the_weights_it_began_with(tmp_path: Path) -> None:
    module, batch = tiny_module(tmp_path), {"observation": torch.rand(1, 8, 12, 12), "name": ["a"]}
    other = MiniNetwork()
    kept = module.with_weights({key: value.clone() for key, value in other.state_dict().items()})
    with torch.no_grad():
        expected = other(batch["observation"])
        for value in module.network.parameters():
            value.add_(1.0)
    assert torch.equal(kept.restore(batch), expected)
