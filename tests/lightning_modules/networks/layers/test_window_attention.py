"""Window attention against explicit products for every pair of pixels, and its parts."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lightning_modules.networks.layers.window_attention import (
    WindowAttention,
    merge_windows,
    partition_windows,
    relative_position_index,
)
from tests.benchmarks.test_backbones import saved_bytes


def test_windows_hold_their_pixels_in_raster_order() -> None:
    image = torch.arange(6 * 9).view(1, 6, 9, 1)
    windows = partition_windows(image, 3)
    assert windows.shape == (1, 2, 3, 9, 1)
    assert windows[0, 1, 2, :, 0].tolist() == [33, 34, 35, 42, 43, 44, 51, 52, 53]
    assert torch.equal(merge_windows(windows, 3), image)


def test_relative_position_index_is_swins() -> None:
    index = relative_position_index(8)
    assert index.shape == (64, 64)
    assert index[0, 0] == 7 * 15 + 7
    # Query at (2, 5), key at (6, 1): dy = -4, dx = 4.
    assert index[2 * 8 + 5, 6 * 8 + 1] == (-4 + 7) * 15 + 4 + 7
    assert index.unique().tolist() == list(range(225))


def attend_pixel_by_pixel(attention: WindowAttention, image: Tensor) -> Tensor:
    """Attention of a rolled `H x W x C` image: two pixels meet when their window and their unwrapped side agree."""
    height, width, channels = image.shape
    window, shift, heads = attention.window, attention.shift, attention.heads
    if attention.split_projection:
        query = attention.query(image)
        key, value = attention.key_value(image).chunk(2, dim=-1)
    else:
        query, key, value = attention.qkv(image).chunk(3, dim=-1)
    out = torch.zeros_like(image)
    for y in range(height):
        for x in range(width):
            top, left = y // window * window, x // window * window
            keys = [(i, j) for i in range(top, top + window) for j in range(left, left + window)]
            scores = torch.zeros(heads, len(keys))
            for number, (i, j) in enumerate(keys):
                products = (query[y, x] * key[i, j]).view(heads, -1).sum(-1) * (channels // heads) ** -0.5
                offset = (y - i + window - 1) * (2 * window - 1) + x - j + window - 1
                scores[:, number] = products + attention.bias_table[offset]
                if (y >= height - shift) != (i >= height - shift) or (x >= width - shift) != (j >= width - shift):
                    scores[:, number] -= 100
            values = torch.stack([value[i, j].view(heads, -1) for i, j in keys], dim=1)
            out[y, x] = (scores.softmax(-1).unsqueeze(-1) * values).sum(1).flatten()
    projected: Tensor = attention.project(out)
    return projected


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize(("shift", "size"), [(0, (8, 4)), (2, (8, 12)), (1, (8, 4)), (2, (4, 4)), (3, (4, 8))])
def test_attention_equals_pixel_by_pixel(shift: int, size: tuple[int, int], split: bool) -> None:
    torch.manual_seed(shift)
    attention = WindowAttention(6, heads=2, window=4, shift=shift, split_projection=split)
    with torch.no_grad():
        attention.bias_table.mul_(50)
        images = torch.randn(2, *size, 6)
        given = merge_windows(attention(partition_windows(images, 4)), 4)
        expected = torch.stack([attend_pixel_by_pixel(attention, image) for image in images])
    assert torch.allclose(given, expected, rtol=1e-4, atol=1e-5)


def test_gradients_reach_the_bias_table_and_all_weights() -> None:
    torch.manual_seed(0)
    attention = WindowAttention(4, heads=2, window=4, shift=2, split_projection=True)
    attention(torch.randn(1, 2, 2, 16, 4)).square().sum().backward()
    assert all(parameter.grad is not None and bool(parameter.grad.any()) for parameter in attention.parameters())


def test_index_is_no_part_of_the_state() -> None:
    assert sorted(WindowAttention(4, 2).state_dict()) == [
        *("bias_table", "project.bias", "project.weight", "qkv.bias", "qkv.weight"),
    ]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"dim": 6, "heads": 4}, "4 heads do not divide dim 6"),
        ({"dim": 4, "heads": 2, "window": 4, "shift": 4}, "shift 4 is not below window 4; choose 0 to 3"),
    ],
)
def test_impossible_attention_gives_a_sentence(settings: dict[str, int], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        WindowAttention(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("shift", [0, 1, 3])
def test_training_attends_as_use_does_and_keeps_fewer_bytes(shift: int) -> None:
    torch.manual_seed(shift)
    attention = WindowAttention(8, heads=2, window=4, shift=shift)
    windows = torch.randn(2, 3, 2, 16, 8)
    with torch.no_grad():
        attention.bias_table.mul_(50)
        used = attention(windows)
    assert torch.allclose(attention(windows), used, rtol=1e-5, atol=1e-6)
    # the windows, queries, keys and values, scores after the softmax, what is projected: nothing twice
    pixels = windows.numel() // 8
    kept = 4 * (pixels * 8 + 3 * pixels * 8 + pixels * 2 * 16 + pixels * 8)
    assert saved_bytes(attention, windows, attention) <= 1.02 * kept + 4 * attention.index.numel() * 4
