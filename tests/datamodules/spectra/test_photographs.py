"""The photographs lie in the wheel, and no pixel belongs to two domains."""

from importlib.metadata import files
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datamodules.spectra import photographs
from datamodules.spectra.catalogue import _TARGET_SHRINK, _TILE, _TILES
from datamodules.spectra.photographs import PLOTS, linear_light, photograph, photograph_path


def test_every_photograph_is_listed_in_the_wheel_and_holds_its_plot() -> None:
    listed = {Path(str(entry)).name for entry in files("scikit-image") or [] if "skimage/data" in str(entry)}
    for plot in PLOTS.values():
        assert plot.file in listed
        left, top, right, bottom = plot.box
        with Image.open(photograph_path(plot.file)) as picture:
            assert 0 <= left < right <= picture.width
            assert 0 <= top < bottom <= picture.height


def test_no_two_plots_share_a_pixel() -> None:
    for first, second in combinations(PLOTS.values(), 2):
        if first.file == second.file:
            a, b = first.box, second.box
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def test_the_stereo_twin_of_the_target_is_used_nowhere() -> None:
    assert [name for name, plot in PLOTS.items() if plot.file.startswith("motorcycle")] == ["motorcycle"]


def test_target_tiles_are_apart_and_inside() -> None:
    _, height, width = photograph("motorcycle", _TARGET_SHRINK).shape
    for top, left in _TILES.values():
        assert top + _TILE <= height
        assert left + _TILE <= width
    for (top, left), (other_top, other_left) in combinations(_TILES.values(), 2):
        assert abs(top - other_top) >= _TILE + 2 or abs(left - other_left) >= _TILE + 2


def test_linear_light_inverts_the_srgb_curve() -> None:
    np.testing.assert_allclose(
        linear_light(np.array([0.0, 0.04045, 0.5, 1.0])), [0, 0.0031308, 0.2140411, 1], atol=1e-6
    )


def test_shrinking_keeps_the_mean_and_takes_away_noise() -> None:
    whole, half = photograph("astronaut"), photograph("astronaut", 0.5)
    assert half.shape == (3, 256, 160)
    np.testing.assert_allclose(half.mean(axis=(1, 2)), whole.mean(axis=(1, 2)), rtol=0.01)
    assert photograph("astronaut", 0.5, enlarge=1.5).shape == (3, 384, 240)


def test_a_missing_photograph_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"photograph unicorn\.png is not in .*install scikit-image"):
        photograph_path("unicorn.png")


def test_missing_scikit_image_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photographs, "find_spec", lambda _: None)
    with pytest.raises(FileNotFoundError, match="install scikit-image"):
        photograph_path("coffee.png")
