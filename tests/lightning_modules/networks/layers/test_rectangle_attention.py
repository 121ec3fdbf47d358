"""Rectangle attention: every pixel sees its rectangle and nothing else."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.networks.layers.rectangle_attention import RectangleAttention


@pytest.mark.parametrize("rectangle", [(8, 2), (2, 8), (4, 4)])
def test_a_pixel_influences_exactly_its_rectangle(rectangle: tuple[int, int]) -> None:
    torch.manual_seed(0)
    attention = RectangleAttention(channels=4, heads=2, rectangle=rectangle)
    qkv = torch.rand(2, 8, 16, 3, 4)
    changed = qkv.clone()
    changed[1, 5, 9] += 1.0
    with torch.no_grad():
        difference = (attention(changed) - attention(qkv)).abs().sum(-1)
    tall, wide = rectangle
    expected = torch.zeros(2, 8, 16, dtype=torch.bool)
    top, left = 5 // tall * tall, 9 // wide * wide
    expected[1, top : top + tall, left : left + wide] = True
    assert torch.equal(difference > 0, expected)


def test_equal_values_pass_unchanged_without_the_position_term() -> None:
    attention = RectangleAttention(channels=6, heads=3, rectangle=(4, 2))
    torch.nn.init.zeros_(attention.position.weight)
    torch.nn.init.constant_(attention.position.bias, 0.5)  # type: ignore[arg-type]
    qkv = torch.rand(1, 8, 8, 3, 6)
    qkv[..., 2, :] = 0.25
    with torch.no_grad():
        assert torch.allclose(attention(qkv), torch.tensor(0.75))
