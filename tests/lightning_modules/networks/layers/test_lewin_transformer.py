"""The block of Uformer: its feed-forward pixel by pixel, and what a shifted window does not mix."""

from __future__ import annotations

import torch
from torch.nn import functional

from lightning_modules.networks.layers.lewin_transformer import LeFF, LeWinBlock


def test_shifted_block_does_not_mix_opposite_borders() -> None:
    torch.manual_seed(1)
    block = LeWinBlock(8, heads=2, window=4, shift=2)
    image = torch.randn(1, 12, 12, 8)
    changed = image.clone()
    changed[:, 0, 0, 0] += 3
    with torch.no_grad():
        difference = (block(image) - block(changed)).abs().sum(-1)[0] > 1e-6
    # The corner's window holds 2 x 2 pixels of its own side; LeFF's convolution adds one pixel.
    assert difference.nonzero().max() == 2
    assert bool(difference[:2, :2].all())


def test_leff_equals_its_layers_at_one_pixel() -> None:
    torch.manual_seed(2)
    layer = LeFF(3, 5).double()
    features = torch.randn(1, 4, 3, 3, dtype=torch.float64)
    with torch.no_grad():
        hidden = functional.gelu(layer.widen(features))
        for row, column in ((0, 0), (2, 1), (3, 2)):
            mixed = layer.depthwise.bias.clone() if layer.depthwise.bias is not None else torch.zeros(5)
            for y in range(max(row - 1, 0), min(row + 2, 4)):
                for x in range(max(column - 1, 0), min(column + 2, 3)):
                    mixed += layer.depthwise.weight[:, 0, y - row + 1, x - column + 1] * hidden[0, y, x]
            expected = layer.narrow(functional.gelu(mixed))
            torch.testing.assert_close(layer(features)[0, row, column], expected)


def test_without_shift_windows_see_each_other_through_the_convolution_alone() -> None:
    torch.manual_seed(3)
    block = LeWinBlock(4, heads=2, window=4, mlp_ratio=1.5)
    assert block.feed_forward.widen.out_features == 6
    image = torch.randn(1, 8, 8, 4)
    changed = image.clone()
    changed[:, 5, 5, 0] += 3
    with torch.no_grad():
        difference = (block(image) - block(changed)).abs().sum(-1)[0] > 1e-6
    assert difference.nonzero().min() == 3
    assert bool(difference[4:, 4:].all())
