"""What a network is given of a cube with bands and values that are not to be used."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from datamodules.scenes.band_matching import match_bands
from datamodules.scenes.folder_scene import FolderScene
from datamodules.scenes.readers import open_cube

CENTRES = [400.0, 500.0, 600.0, 700.0]


def values() -> NDArray[Any]:
    return np.random.default_rng(5).uniform(0.1, 0.9, (4, 12, 16)).astype(np.float32)


def scene(folder: Path, cube: NDArray[Any], *, nan: str = "keep", rule: str = "none", extra: str = "") -> FolderScene:
    """A scene of an ENVI file of four bands that is the network's own."""
    code = {"f4": 4, "i2": 2, "u2": 12}[cube.dtype.str[1:]]
    (folder / "a.dat").write_bytes(cube.astype(cube.dtype.newbyteorder("<")).tobytes())
    (folder / "a.hdr").write_text(
        f"ENVI\nsamples = {cube.shape[2]}\nlines = {cube.shape[1]}\nbands = 4\ndata type = {code}\ninterleave = bsq\n"
        f"wavelength = {{{', '.join(map(str, CENTRES))}}}\n{extra}\n"
    )
    file = open_cube(folder / "a.dat")
    return FolderScene(0, "a.dat", file, match_bands(CENTRES, CENTRES, "refuse", "it"), rule, nan)  # type: ignore[arg-type]


@pytest.mark.parametrize("mark", [-9999, 0])
def test_declared_values_are_left_out_of_everything(tmp_path: Path, mark: int) -> None:
    cube = np.rint(values() * 10000).astype(np.int16)
    whole = cube.copy()
    cube[:, :, :5] = mark
    found = scene(tmp_path, cube, rule="minmax", extra=f"data ignore value = {mark}")
    given, missing = found.strip(0, 12)
    assert missing is not None
    assert missing[:, :, :5].all()
    assert not missing[:, :, 5:].any()
    low, high = whole[:, :, 5:].min(), whole[:, :, 5:].max()
    np.testing.assert_allclose(given[:, :, 5:], (whole[:, :, 5:] - low) / (high - low), atol=1e-5)
    medians = np.median(whole[:, :, 5:], axis=(1, 2))
    np.testing.assert_allclose(given[:, 0, 0], (medians - low) / (high - low), atol=1e-4)


def test_they_are_refused_by_their_value(tmp_path: Path) -> None:
    cube = values()
    cube[1, 3, 4] = -9999
    for extra, word in (("data ignore value = -9999", "its data ignore value"), ("", "which usually marks them")):
        found = scene(tmp_path, cube, nan="refuse", extra=extra)
        with pytest.raises(
            ValueError, match=rf"missing values \(-9999, {word}\), the first in band 1 at row 3, column 4"
        ):
            found.strip(0, 12)


@pytest.mark.parametrize(
    ("spoil", "extra"),
    [
        (0.0, ""),
        (65504.0, ""),
        (np.nan, ""),
        (-9999.0, "data ignore value = -9999"),
        (None, "bbl = {1, 1, 0, 1}"),
    ],
)
def test_bands_that_are_not_drawn_on(tmp_path: Path, spoil: float | None, extra: str) -> None:
    cube = values()
    if spoil is not None:
        cube[2] = spoil
    found = scene(tmp_path, cube, rule="maximum", extra=extra)
    given, missing = found.strip(0, 12)
    others = cube[[0, 1, 3]]
    assert found.avoided == (2,)
    np.testing.assert_allclose(given[2], (cube[1] + cube[3]) / 2 / others.max(), rtol=1e-5)
    np.testing.assert_allclose(given[[0, 1, 3]], others / others.max(), rtol=1e-5)
    lacks = spoil is not None and (np.isnan(spoil) or spoil < 0)
    assert (missing is not None and missing[2].all() and not missing[0].any()) == lacks


def test_an_outermost_band_is_given_its_only_neighbour(tmp_path: Path) -> None:
    cube = values()
    cube[3] = 0.0
    given, _ = scene(tmp_path, cube).strip(0, 12)
    np.testing.assert_array_equal(given[3], cube[2])


def test_a_cube_without_contrast_is_taken_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = scene(tmp_path, np.full((4, 12, 16), 0.5, np.float32))
        assert found.avoided == ()
        assert found.all_bad
        assert float(found.strip(0, 12)[0].max()) == 0.5


def test_a_stated_scale_is_named_where_values_are_too_large(tmp_path: Path) -> None:
    cube = np.rint(values() * 10000).astype(np.uint16)
    with pytest.raises(ValueError, match=r"\(its header says reflectance scale factor = 10000\): set data"):
        scene(tmp_path, cube, extra="reflectance scale factor = 10000").strip(0, 12)
