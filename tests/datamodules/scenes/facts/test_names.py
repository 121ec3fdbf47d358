"""Names under which files keep what they say."""

from __future__ import annotations

import pytest

from datamodules.scenes.facts.names import (
    bad_bands,
    names_centres,
    names_good_bands,
    names_missing,
    names_unit,
    names_widths,
)


@pytest.mark.parametrize(
    "name",
    ["wavelength", "Wavelengths", "wvl", "wl", "lambda", "Center_Wavelength", "central wavelength", "bands", "wl_nm",
     "wavelength_um", "CENTRAL_WAVELENGTH_UM", "band_centers"],
)  # fmt: skip
def test_centres(name: str) -> None:
    assert names_centres(name)


@pytest.mark.parametrize("name", ["cube", "rad", "rgb", "wavelength_units", "nBand", "calib", "fwhm", "wall"])
def test_no_centres(name: str) -> None:
    assert not names_centres(name)


def test_other_facts() -> None:
    assert names_widths("FWHM")
    assert names_widths("bandwidths")
    assert names_missing("_FillValue")
    assert names_missing("data ignore value")
    assert not names_missing("value")
    assert names_good_bands("good_wavelengths")


def test_units() -> None:
    assert names_unit("wavelength_units", "wl")
    assert names_unit("WL unit", "wl")
    assert names_unit("bands_units", "bands")
    assert names_unit("units", "wl", beside=True)
    assert not names_unit("units", "wl")
    assert not names_unit("cube_units", "wl", beside=True)


def test_bad_bands() -> None:
    assert bad_bands(["1", "0", "1.0"], 3) == (1,)
    assert bad_bands([0, 0], 2) == ()
    assert bad_bands([1, 0], 3) == ()
    assert bad_bands(["x", "0"], 2) == ()
    assert bad_bands(None, 2) == ()
