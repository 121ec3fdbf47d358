"""Centres are written in the unit and the digits in which they were read, widths and marks with their bands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
import tifffile

from datamodules.scenes.readers import open_cube
from datamodules.scenes.writers import writer_for
from datamodules.scenes.writers.bands import picked_bands
from tests.datamodules.fake_chikusei import write_envi, write_matlab

CUBE = np.random.default_rng(3).integers(1, 90, (5, 20, 24)).astype(np.uint16)
MICROMETRES = [0.402111821, 0.45, 0.4800005, 0.5105, 0.66]
NANOMETRES = tuple(round(centre * 1000, 6) for centre in MICROMETRES)


def rewritten(path: Path, wavelengths: Any) -> Path:  # noqa: ANN401
    """Write the bands of these wavelengths into another folder."""
    target = path.parent / "out" / path.name
    with writer_for(open_cube(path), target, "float32", wavelengths) as writer:
        writer.write(0, 0, np.zeros(writer.shape, np.float32))
    return target


def envi(path: Path) -> Path:
    write_envi(path, CUBE.transpose(1, 2, 0), None)
    header = path.with_suffix(".hdr")
    centres = ", ".join(f"{centre:.9f}" for centre in MICROMETRES)
    header.write_text(
        header.read_text()
        + f"wavelength units = Micrometers\nwavelength = {{{centres}}}\nfwhm = {{0.1, 0.2, 0.3, 0.4, 0.5}}\n"
        + "bbl = {1, 1, 0, 1, 1}\n"
    )
    return path


def test_envi_keeps_unit_digits_and_widths(tmp_path: Path) -> None:
    path = envi(tmp_path / "a.bsq")
    before = open_cube(path).metadata
    same = open_cube(rewritten(path, NANOMETRES))
    for name in ("wavelength", "wavelength units", "fwhm", "bbl"):
        assert same.metadata[name] == before[name]
    some = open_cube(rewritten(path, [NANOMETRES[3], NANOMETRES[0]]))
    assert some.metadata["wavelength"] == "{0.510500000, 0.402111821}"
    assert (some.metadata["fwhm"], some.metadata["bbl"]) == ("{0.4, 0.1}", "{1, 1}")
    others = open_cube(rewritten(path, [455.5, 600.0]))
    assert others.metadata["wavelength"] == "{0.4555, 0.6}"
    assert "fwhm" not in others.metadata
    assert others.wavelengths == (455.5, 600.0)


def test_widths_in_another_unit_do_not_stay_beside_given_wavelengths(tmp_path: Path) -> None:
    source = open_cube(envi(tmp_path / "a.bsq"), wavelengths=[410.0, 450.0, 480.0, 510.0, 660.0])
    with writer_for(source, tmp_path / "out" / "a.bsq") as writer:
        writer.write(0, 0, CUBE)
    found = open_cube(tmp_path / "out" / "a.bsq").metadata
    assert found["wavelength"] == "{410, 450, 480, 510, 660}"
    assert found["wavelength units"] == "Nanometers"
    assert "fwhm" not in found


@pytest.mark.parametrize("kind", ["struct v5", "struct v7.3", "npz"])
def test_the_word_for_the_unit_comes_back_beside_the_centres(tmp_path: Path, kind: str) -> None:
    stated = [1e7 / centre for centre in NANOMETRES]
    path = tmp_path / ("a.npz" if kind == "npz" else "a.mat")
    if kind == "npz":
        np.savez(path, allow_pickle=False, cube=CUBE, wl=np.array(stated), wl_units=np.array("cm-1"))
    elif kind == "struct v5":
        scipy.io.savemat(path, {"hsi": {"data": CUBE.transpose(1, 2, 0), "wl": stated, "units": "cm-1"}})
    else:
        write_matlab(path, "hsi/data", CUBE.transpose(1, 2, 0))
        with h5py.File(path, "a") as file:
            file["hsi/wl"] = np.array(stated)[:, None]
            file["hsi/units"] = np.array([ord(sign) for sign in "cm-1"], np.uint16)[:, None]
            file["hsi/units"].attrs["MATLAB_class"] = np.bytes_("char")
    assert open_cube(path).wavelengths == pytest.approx(NANOMETRES)
    found = open_cube(rewritten(path, [NANOMETRES[2], 500.0]))
    assert found.stated is not None
    assert found.stated.stated == pytest.approx((stated[2], 20000.0))
    assert found.wavelengths == pytest.approx((NANOMETRES[2], 500.0))
    assert found.unit_beside == ("wl_units" if kind == "npz" else "hsi.units", "cm-1")


def test_attributes_of_a_data_set_keep_their_unit_and_follow_their_bands(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["cube"] = CUBE
        file["cube"].attrs.update({"wavelength": MICROMETRES, "wavelength_units": "um", "fwhm": np.arange(1.0, 6.0)})
    with h5py.File(rewritten(tmp_path / "a.h5", [NANOMETRES[3], NANOMETRES[0]])) as file:
        found = dict(file["cube"].attrs)
    assert found["wavelength"].tolist() == [MICROMETRES[3], MICROMETRES[0]]
    assert found["fwhm"].tolist() == [4.0, 1.0]
    assert found["wavelength_units"] == "um"
    with h5py.File(rewritten(tmp_path / "a.h5", [500.0, 600.0])) as file:
        found = dict(file["cube"].attrs)
    assert found["wavelength"].tolist() == [0.5, 0.6]
    assert "fwhm" not in found


def test_band_names_in_a_rare_unit_do_not_make_it_that_of_other_bands(tmp_path: Path) -> None:
    write_envi(tmp_path / "a.bsq", CUBE.transpose(1, 2, 0), None)
    header = tmp_path / "a.hdr"
    names = ", ".join(f"B{band} ({1e7 / centre} cm-1)" for band, centre in enumerate(NANOMETRES))
    header.write_text(header.read_text() + f"band names = {{{names}}}\n")
    assert open_cube(tmp_path / "a.bsq").wavelengths == pytest.approx(NANOMETRES)
    found = open_cube(rewritten(tmp_path / "a.bsq", [455.5, 600.0]))
    assert (found.metadata["wavelength"], found.metadata["wavelength units"]) == ("{455.5, 600}", "Nanometers")


@pytest.mark.parametrize("kind", ["v5", "v7.3", "npz"])
def test_arrays_keep_their_names_and_units(tmp_path: Path, kind: str) -> None:
    facts = {"wl": np.array(MICROMETRES), "fwhm": np.arange(1.0, 6.0), "nodata": np.array([-9999.0])}
    path = tmp_path / ("a.npz" if kind == "npz" else "a.mat")
    if kind == "npz":
        np.savez(path, allow_pickle=False, cube=CUBE, **facts)
    elif kind == "v5":
        scipy.io.savemat(path, {"cube": CUBE.transpose(1, 2, 0)} | facts)
    else:
        write_matlab(path, "cube", CUBE.transpose(1, 2, 0))
        with h5py.File(path, "a") as file:
            for name, value in facts.items():
                file[name] = value[:, None]
    found = open_cube(rewritten(path, [NANOMETRES[2], NANOMETRES[0]]))
    assert found.stated is not None
    assert found.stated.stated == pytest.approx((MICROMETRES[2], MICROMETRES[0]), rel=1e-12)
    assert found.marks.declared == (-9999.0,)
    assert found.shapes["fwhm"] in ((2,), (1, 2))  # type: ignore[attr-defined]


def test_tiff_entries_of_single_bands_follow_their_bands(tmp_path: Path) -> None:
    items = "".join(f'<Item name="wavelength" sample="{n}">{centre}</Item>' for n, centre in enumerate(MICROMETRES))
    text = f'<GDALMetadata>{items}<Item name="sensor">x</Item></GDALMetadata>'
    mask = np.ones((20, 24), bool)
    mask[3] = False
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        tags: list[Any] = [(42112, "s", 0, text, True), (42113, "s", 0, "-9999", True)]
        file.write(CUBE, photometric="minisblack", metadata=None, extratags=tags)
        file.write(mask, photometric="mask", subfiletype=4, metadata=None)
    source = open_cube(tmp_path / "a.tif")
    found = open_cube(rewritten(tmp_path / "a.tif", [NANOMETRES[4], NANOMETRES[1]]))
    assert found.metadata["GDAL_METADATA"].count("<Item") == 3
    assert '<Item name="wavelength" sample="0">0.66</Item>' in found.metadata["GDAL_METADATA"]
    assert found.wavelengths == (NANOMETRES[4], NANOMETRES[1])
    for cube in (source, found):
        missing = cube.missing(0, 0, cube.window(0, 0, 20, 24))
        assert missing is not None
        assert np.array_equal(missing[0], ~mask)


def test_which_bands_are_picked(tmp_path: Path) -> None:
    source = open_cube(envi(tmp_path / "a.bsq"))
    assert picked_bands(source, 5, None) == (0, 1, 2, 3, 4)
    assert picked_bands(source, 4, None) is None
    assert picked_bands(source, 2, (NANOMETRES[1], NANOMETRES[0])) == (1, 0)
    assert picked_bands(source, 1, (455.0,)) is None
