"""The gated scan against one direction after the other through the reference recurrence."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.networks.layers.gated_scan import GatedScan2d
from lightning_modules.networks.layers.scan_orders import four_directions, inverse
from lightning_modules.networks.layers.selective_scan import selective_scan


def drawn(block: GatedScan2d) -> GatedScan2d:
    """Weights at which every part shows, in double precision."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator))
    return block.double()


def written_out(block: GatedScan2d, features: Tensor) -> Tensor:
    """Projections and skip of every direction on its own sequence, as published."""
    batch, height, width, _ = features.shape
    image, gate = block.in_proj(features).chunk(2, dim=-1)
    image = functional.silu(block.conv2d(image.permute(0, 3, 1, 2)))
    rank, states, _ = block.sizes
    inner = image.shape[1]
    merged = torch.zeros_like(image)
    for way, order in enumerate(four_directions(height, width)):
        sequence = image.flatten(2)[..., order]
        steps, entry, readout = (block.x_proj[way] @ sequence).split((rank, states, states), dim=1)
        rows = slice(way * inner, (way + 1) * inner)
        scanned = selective_scan(
            sequence,
            functional.softplus(block.dt_weight[way] @ steps + block.dt_bias[way][:, None]),
            -block.A_log[rows].exp(),
            entry,
            readout,
            block.D[rows],
            backend="reference",
        )
        merged += scanned[..., inverse(order)].view(batch, inner, height, width)
    mixed = block.out_norm(merged.permute(0, 2, 3, 1)) * functional.silu(gate)
    result: Tensor = block.out_proj(mixed)
    return result


@pytest.mark.parametrize("size", [(1, 1), (3, 4), (5, 2)])
@pytest.mark.parametrize("step_rank", [None, 3])
def test_equals_one_direction_after_the_other(size: tuple[int, int], step_rank: int | None) -> None:
    block = drawn(GatedScan2d(5, state_dim=2, step_rank=step_rank))
    features = torch.randn(2, *size, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(block(features), written_out(block, features), rtol=1e-9, atol=1e-11)


def test_images_of_a_batch_do_not_meet_and_half_turns_with_equal_directions_turn_the_output() -> None:
    block = drawn(GatedScan2d(4, state_dim=2))
    features = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(block(features)[1:], block(features[1:]))
        for parameter in (block.x_proj, block.dt_weight, block.dt_bias):
            parameter[2:] = parameter[:2]
        for parameter in (block.A_log, block.D):
            parameter[len(parameter) // 2 :] = parameter[: len(parameter) // 2]
        kernel = block.conv2d.weight
        kernel.copy_(kernel + kernel.flip(2, 3))
        torch.testing.assert_close(block(features.flip(1, 2)).flip(1, 2), block(features))


def test_published_start() -> None:
    block = GatedScan2d(40, state_dim=3)
    steps = functional.softplus(block.dt_bias.detach())
    assert block.sizes == (3, 3, 3)
    assert 0.00099 < float(steps.min()) < float(steps.max()) < 0.1001
    assert block.A_log.exp()[7].tolist() == pytest.approx([1.0, 2.0, 3.0])
    assert float(block.x_proj.detach().abs().max()) <= 80**-0.5
