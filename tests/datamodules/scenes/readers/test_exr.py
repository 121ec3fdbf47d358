"""OpenEXR files: bands named by their wavelengths."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from datamodules.scenes.readers.exr import ExrCube, band_of_channel, exr_library
from tests.datamodules.scenes.make_cubes import cube_values, write_exr
from tests.datamodules.scenes.readers.refused import refused


def test_exr_without_named_bands(tmp_path: Path) -> None:
    path, library = tmp_path / "a.exr", exr_library()
    plane = np.zeros((4, 5), np.float32)
    library.File({"type": library.scanlineimage}, {"R": plane, "Z": plane}).write(str(path))
    refused(path, r"a\.exr has no channel named by its wavelength, as w420nm \(channels: R, Z\)")
    library.File({"type": library.scanlineimage}, {"w420nm": plane, "S0.420nm": plane}).write(str(path))
    refused(path, "two channels of one wavelength")
    half = plane.astype(np.float16)
    library.File({"type": library.scanlineimage}, {"w420nm": plane, "w430nm": half}).write(str(path))
    refused(path, "mixes values of the types FLOAT, HALF")


def test_channels_are_named_by_wavelengths() -> None:
    names = {"w420nm": 420.0, "S0.450,5nm": 450.5, "T.510.5nm": 510.5, "660 nm": 660.0, "R": None, "Znm": None}
    assert {name: band_of_channel(name) for name in names} == names


def test_bands_are_sorted_by_wavelength_and_read_by_rows(tmp_path: Path) -> None:
    values = cube_values(3)
    path = write_exr(tmp_path / "a.exr", values, [660.0, 99.5, 510.0], np.float32)
    cube = ExrCube(path)
    assert cube.channels == ("w99.5nm", "w510nm", "w660nm")
    assert cube.wavelengths == (99.5, 510.0, 660.0)
    assert np.array_equal(cube.window(7, 4, 3, 6), values[[1, 2, 0], 7:10, 4:10])
    assert ExrCube(path, wavelengths=[400.0, 500.0, 600.0]).wavelengths == (400.0, 500.0, 600.0)


def test_a_missing_library_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    with pytest.raises(ImportError, match=r"^Reading \.exr files needs the package OpenEXR: install it with `pip"):
        exr_library()
