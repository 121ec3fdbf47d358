"""The picture and the spectra that are collected of a scene which passes by in tiles and rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from callbacks.prediction import quick_look
from callbacks.prediction.quick_look import QuickLook, shown_bands

WAVELENGTHS = (470.0, 550.0, 660.0)


def test_bands_are_red_green_and_blue_or_spread_over_the_range() -> None:
    assert shown_bands((660.0, 470.0, 550.0)) == (0, 2, 1)
    assert shown_bands([1000.0 + 10 * band for band in range(9)]) == (6, 4, 2)
    assert shown_bands([1000.0 - 10 * band for band in range(9)]) == (2, 4, 6)
    assert shown_bands((1000.0,)) == (0, 0, 0)


@pytest.mark.parametrize(("side", "scale"), [(1024, 1), (5, 2)])
def test_parts_make_the_picture_that_the_whole_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: int, scale: int
) -> None:
    monkeypatch.setattr(quick_look, "SIDE", side)
    generator = torch.Generator().manual_seed(0)
    observed, restored = torch.rand(3, 12, 15, generator=generator), torch.rand(3, 12 * scale, 15 * scale)
    whole, parts = QuickLook(12, 15, WAVELENGTHS), QuickLook(12, 15, WAVELENGTHS)
    whole.add_observation(0, 0, observed)
    whole.add_restored(0, restored, scale)
    for top in range(0, 12, 7):
        for left in range(0, 15, 4):
            parts.add_observation(top, left, observed[:, top : top + 7, left : left + 4])
    for row in range(0, 12 * scale, 5):
        parts.add_restored(row, restored[:, row : row + 5], scale)
    stride = 1 if side == 1024 else 3
    assert torch.equal(parts._observed, observed[[2, 1, 0], ::stride, ::stride])
    assert torch.equal(parts._restored, restored[[2, 1, 0], :: stride * scale, :: stride * scale])
    assert torch.equal(parts._observed, whole._observed)
    assert parts._spectra.keys() == whole._spectra.keys()
    for place, spectra in parts._spectra.items():
        row, column = (int(word) for word in place.replace(",", "").split()[1::2])
        assert torch.equal(spectra["observation"], observed[:, row, column])
        assert torch.equal(spectra["restored"], restored[:, row * scale, column * scale])
    parts.save(tmp_path / "a.png", tmp_path / "b.png")
    with Image.open(tmp_path / "a.png") as picture:
        pixels = np.asarray(picture)
    height, width = -(-12 // stride), -(-15 // stride)
    assert pixels.shape == (height, 2 * width + 8, 3)
    assert (pixels[:, width : width + 8] == 255).all()
    white = np.quantile(parts._restored.numpy(), 0.995)
    expected = (parts._restored[0, 0, 0] / white).clamp(0, 1) ** (1 / 2.2) * 255
    assert abs(int(pixels[0, width + 8, 0]) - float(expected)) <= 1
    assert (tmp_path / "b.png").stat().st_size > 0
