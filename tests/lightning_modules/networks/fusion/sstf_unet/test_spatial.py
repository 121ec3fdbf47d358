"""Swin blocks of SSTF-Unet against masks for all windows, at sizes that windows do not divide."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.networks.fusion.sstf_unet.spatial import SpatialLayer, SwinBlock
from tests.plain.sstf_unet import spatial


def lively(layer: SpatialLayer) -> SpatialLayer:
    """Position biases that show."""
    for name, parameter in layer.named_parameters():
        if name.endswith("bias_table"):
            parameter.data = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
    return layer.eval()


@torch.no_grad()
@pytest.mark.parametrize("size", [(4, 8), (5, 6), (1, 3)])
def test_a_layer_equals_the_published_order_of_operations(size: tuple[int, int]) -> None:
    torch.manual_seed(1)
    layer = lively(SpatialLayer(6, 2, 4, [0.0, 0.0]))
    features = torch.randn(2, 6, *size)
    torch.testing.assert_close(layer(features), spatial(layer, features), rtol=1e-4, atol=1e-5)


def test_every_second_block_is_shifted_by_half_a_window_and_branches_drop_in_training() -> None:
    layer = SpatialLayer(4, 2, 7, [0.1, 0.2, 0.3])
    blocks = [block for block in layer.blocks if isinstance(block, SwinBlock)]
    assert [(block.shift, block.drop_path.probability) for block in blocks] == [(0, 0.1), (3, 0.2), (0, 0.3)]


@torch.no_grad()
def test_without_shift_windows_do_not_see_each_other() -> None:
    torch.manual_seed(2)
    block, image = SwinBlock(4, 2, 3, 0, 0.0), torch.randn(1, 6, 6, 4)
    changed = image.clone()
    changed[:, 4, 1, 0] += 1
    difference = (block(changed) - block(image)).abs().sum(-1)[0] > 1e-6
    assert bool(difference[3:, :3].all())
    assert int(difference.sum()) == 9
