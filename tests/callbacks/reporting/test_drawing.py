"""Drawing: what a panel, an error map and an enlarged observation are, in numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from callbacks.reporting.drawing import enlarged, error_map, pseudo_rgb, save_panels, save_spectra

WAVELENGTHS = (470.0, 550.0, 660.0)


def test_pseudo_rgb_takes_red_from_the_longest_wavelength() -> None:
    cube = torch.tensor([0.0, 0.0, 1.0]).view(3, 1, 1)
    assert pseudo_rgb(cube, WAVELENGTHS)[0, 0].tolist() == [1.0, 0.0, 0.0]


def test_error_map_is_the_mean_over_bands() -> None:
    restored = torch.tensor([0.1, 0.3]).view(2, 1, 1)
    assert np.isclose(error_map(restored, torch.zeros(2, 1, 1))[0, 0], 0.2)


def test_enlarged_repeats_pixels_to_the_targets_size() -> None:
    cube = torch.arange(4.0).view(1, 2, 2)
    large = enlarged(cube, 8)
    assert large.shape == (1, 8, 8)
    assert (large[0, :4, 4:] == 1.0).all()
    assert enlarged(cube, 2) is cube


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16, torch.float16])
def test_pictures_are_whole_files_and_nothing_is_left_beside(tmp_path: Path, precision: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    cube = torch.rand(3, 16, 16, generator=generator).to(precision)
    save_panels(
        tmp_path / "a" / "panels.png", {"cube": pseudo_rgb(cube, WAVELENGTHS), "error": error_map(cube, 1 - cube)}
    )
    save_spectra(tmp_path / "a" / "spectra.png", {"one": cube, "other": 1 - cube}, WAVELENGTHS)
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["panels.png", "spectra.png"]
    for path in (tmp_path / "a").iterdir():
        with Image.open(path) as picture:
            assert np.asarray(picture.convert("L")).std() > 10
