"""Operations that are counted against formulas worked out by hand."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lightning_modules.networks.flops import Flops, count_flops, scan_flops
from lightning_modules.networks.fusion.fusionmamba.scan import DirectedScan
from lightning_modules.networks.layers.gated_scan import GatedScan2d
from lightning_modules.networks.layers.mamba import Mamba
from lightning_modules.networks.layers.selective_scan import selective_scan


def test_convolutions_and_linear_layers_count_two_for_each_product() -> None:
    network = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.ReLU(), nn.Conv2d(5, 2, 1))
    assert count_flops(network, torch.rand(2, 3, 7, 6)) == Flops(2 * 2 * 42 * (3 * 5 * 9 + 5 * 2), 0)


def test_scans_by_formula() -> None:
    assert scan_flops(channels=8, states=4, length=100) == 9 * 3200
    assert scan_flops(channels=8, states=4, length=100, second=True) == 11 * 3200


def test_a_scan_shows_two_operations_a_state_to_the_counter() -> None:
    u, steps = torch.rand(1, 8, 64), torch.rand(1, 8, 64)
    with FlopCounterMode(display=False) as counter:
        selective_scan(u, steps, -torch.rand(8, 4), torch.rand(1, 4, 64), torch.rand(1, 4, 64), backend="chunked")
    assert counter.get_total_flops() == 2 * 8 * 4 * 64


def test_a_mamba_over_a_sequence() -> None:
    mamba, tokens, inner, rank, states = Mamba(16, state_dim=4, expand=2), torch.rand(2, 64, 16), 32, 1, 4
    projections = 16 * 2 * inner + inner * 16
    direction = 4 * inner + inner * (rank + 2 * states) + rank * inner + inner * states
    expected = Flops(2 * 2 * 64 * (projections + 2 * direction), 2 * 2 * 64 * 7 * inner * states)
    assert count_flops(mamba, tokens) == expected
    assert not any(module._forward_pre_hooks for module in mamba.modules())


def test_a_gated_scan_of_an_image() -> None:
    scan, inner, rank, states, pixels = GatedScan2d(16, state_dim=4), 32, 1, 4, 48
    projections = 16 * 2 * inner + inner * 16 + 9 * inner
    directions = 4 * (inner * (rank + 2 * states) + rank * inner + inner * states)
    expected = Flops(2 * 3 * pixels * (projections + directions), 3 * pixels * 7 * 4 * inner * states)
    assert count_flops(scan, torch.rand(3, 6, 8, 16)) == expected


def test_a_scan_in_two_directions_of_a_sequence() -> None:
    scan, rank, states = DirectedScan(16, ways=2, state_dim=4), 1, 4
    projections = 16 * 2 * 16 + 16 * 16
    directions = 2 * (4 * 16 + 16 * (rank + 2 * states) + rank * 16 + 16 * states)
    expected = Flops(2 * 2 * 64 * (projections + directions), 2 * 64 * 7 * 2 * 16 * states)
    assert count_flops(scan, torch.rand(2, 16, 1, 64)) == expected
