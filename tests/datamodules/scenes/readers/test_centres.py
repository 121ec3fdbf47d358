"""Wavelengths in any unit become nanometres, and go back into their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from datamodules.scenes.readers import open_cube
from datamodules.scenes.readers.centres import are_numbers_of_bands, centres_from_file, stated_centres
from tests.datamodules.fake_chikusei import write_envi
from tests.datamodules.scenes.make_cubes import CENTRES, cube_values, write_cube
from tests.datamodules.scenes.readers.refused import refused


def test_wavelengths_in_micrometres(tmp_path: Path) -> None:
    path = write_cube(tmp_path, "bsq", cube_values(), [centre / 1000 for centre in CENTRES])
    assert open_cube(path).wavelengths == tuple(CENTRES)
    given = [0.4, 0.5, 0.6, 0.7, 0.8]
    refused(path, r"given for .*cube\.bsq end at 0\.8, which is micrometres: give them in nm, 800", wavelengths=given)


def test_unsorted_wavelengths(tmp_path: Path) -> None:
    unsorted = [420.0, 480.0, 450.0, 510.0, 660.0]
    path = write_envi(tmp_path / "a.bsq", cube_values().transpose(1, 2, 0), unsorted)
    refused(path, r"wavelengths of the ENVI header .*a\.hdr are not sorted \(480 nm beside 450 nm\): .*confirm")
    assert open_cube(path, wavelengths=unsorted).wavelengths == tuple(unsorted)
    path = write_envi(tmp_path / "a.bsq", cube_values().transpose(1, 2, 0), CENTRES[::-1])
    assert open_cube(path).wavelengths == tuple(CENTRES[::-1])


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([], "no list of positive numbers"),
        ([400.0, float("nan"), 600.0, 700.0, 800.0], "no list of positive numbers"),
        ([400.0, 500.0, 500.0, 700.0, 800.0], "hold 500 nm twice"),
        ([400.0, 500.0, 600.0], "has 5 bands .* but 3 wavelengths"),
    ],
)
@pytest.mark.parametrize("kind", ["bsq", "mat5", "mat73", "tiff", "exr_half", "png"])
def test_wavelengths_that_cannot_be(tmp_path: Path, kind: str, given: list[float], sentence: str) -> None:
    refused(write_cube(tmp_path, kind, cube_values()), sentence, wavelengths=given)


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        ([420.0, 550.5, 1000.0], ""),
        (["0.42", "0.5505", "1.0"], "Unknown"),
        ([4200.0, 5505.0, 10000.0], "Angstroms"),
        ([4200.0, 5505.0, 10000.0], "Å"),
        ([4.2e-7, 5.505e-7, 1e-6], "m"),
        ([4.2e-5, 5.505e-5, 1e-4], "Centimeters"),
        ([4.2e-4, 5.505e-4, 1e-3], "mm"),
        ([0.42, 0.5505, 1.0], "Nanometers"),
    ],
)
def test_every_unit_becomes_nanometres_and_goes_back(values: list[float], unit: str) -> None:
    centres = stated_centres(values, 3, "The file a", unit)
    assert centres.nanometres == (420.0, 550.5, 1000.0) == centres_from_file(values, 3, "The file a", unit)
    assert centres.in_unit(centres.nanometres) == tuple(float(value) for value in values)
    assert centres.in_unit([420.0, 700.0]) == pytest.approx((float(values[0]), 700.0 / centres.unit))


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        ([25000.0, 20000.0, 10000.0], "cm-1"),
        ([25000.0, 20000.0, 10000.0], "Wavenumber (cm^-1)"),
        ([25000.0, 20000.0, 10000.0], "1/cm"),
        ([749481.145, 599584.916, 299792.458], "GHz"),
        ([749.481145, 599.584916, 299.792458], "THz"),
        ([749.481145e12, 599.584916e12, 299.792458e12], "Hz"),
        ([3.0996049608, 2.4796839687, 1.2398419843], "eV"),
        ([3099.6049608, 2479.6839687, 1239.8419843], "meV"),
    ],
)
def test_wavenumbers_frequencies_and_energies_become_nanometres_and_go_back(values: list[float], unit: str) -> None:
    centres = stated_centres(values, 3, "The file a", unit)
    assert centres.nanometres == pytest.approx((400.0, 500.0, 1000.0), abs=1e-5)
    assert centres.in_unit(centres.nanometres) == tuple(values)
    # 800 nm is no band of the file: twice the number of 400 nm, halved.
    assert centres.in_unit([800.0]) == pytest.approx((values[0] / 2,), rel=1e-8)


def test_digits_of_the_file_come_back_as_they_were() -> None:
    stated = [0.4021118211, 0.5505]
    assert stated_centres(stated, 2, "The file a").in_unit([402.111821, 550.5]) == tuple(stated)


def test_numbers_of_bands_are_told_from_wavelengths() -> None:
    assert are_numbers_of_bands([1, 2, 3])
    assert are_numbers_of_bands([0, 1, 2])
    assert not are_numbers_of_bands([2, 3, 4])
    assert not are_numbers_of_bands([1])
    assert are_numbers_of_bands([3, 9, 44], selected=True)
    assert not are_numbers_of_bands([3, 9, 44])
    assert not are_numbers_of_bands([0.4, 0.5, 0.6], selected=True)
    assert not are_numbers_of_bands([400, 410, 420], selected=True)


@pytest.mark.parametrize(
    ("values", "unit", "sentence"),
    [
        (
            [5000.0, 4000.0],
            "Wavenumber",
            r"in the unit 'Wavenumber' \(its first, 5000, would be 2000 nm if it is per cm\): give",
        ),
        ([1.0, 2.0], "Index", r"in the unit 'Index': give `wavelengths`"),
        ([400.0, 500.0], "GHz", r"in the unit 'GHz', from 599585 to 749481 nm, which is no optical sensor's: give"),
        ([400.0, 500.0], "eV", r"in the unit 'eV', from 2\.47968 to 3\.0996 nm, which is no optical sensor's: give"),
        ([400.0, 0.0], "cm-1", r"has no wavelength for each of its 2 bands"),
        ([5000.0, 5000.0], "cm-1", r"are not sorted \(2000 nm beside 2000 nm\)"),
        ([0.004, 0.005], "", r"states wavelengths up to 0\.005, which are neither nm nor micrometres"),
        (["a", "b"], "", r"has no wavelength for each of its 2 bands"),
        ([400.0, -500.0], "", r"has no wavelength for each of its 2 bands"),
        ([400.0, 400.0], "", r"are not sorted \(400 nm beside 400 nm\)"),
    ],
)
def test_what_is_no_list_of_wavelengths(values: list[float], unit: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        stated_centres(values, 2, "The file a", unit)
