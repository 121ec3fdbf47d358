"""Headers as programs and people write them: encodings, spellings, gaps, units, and what they must not be read as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamodules.scenes.readers import open_cube
from datamodules.scenes.readers.envi_header import read_entries, stated_wavelengths, write_entries

VALUES = np.random.default_rng(1).integers(1, 90, (5, 4, 6)).astype("<u2")
CENTRES = (420.0, 450.0, 480.0, 510.5, 660.0)


def image(
    folder: Path,
    *extra: str,
    drop: str = "",
    interleave: str = "bsq",
    encoding: str = "utf-8",
    newline: str = "\n",
    **entries: object,
) -> Path:
    """An image of 5 bands, 4 lines and 6 samples with entries of its header changed, added or dropped."""
    axes = {"bil": (1, 0, 2), "bip": (1, 2, 0)}.get(interleave.lower(), (0, 1, 2))
    (folder / "a.dat").write_bytes(VALUES.transpose(axes).tobytes())
    known: dict[str, object] = {
        **{"samples": 6, "lines": 4, "bands": 5, "header offset": 0, "file type": "ENVI Standard", "data type": 12},
        **{"interleave": interleave, "byte order": 0},
    }
    known |= {name.replace("_", " "): value for name, value in entries.items()}
    known.pop(drop, None)
    lines = ["ENVI", *(f"{name} = {value}" for name, value in known.items()), *extra]
    (folder / "a.hdr").write_bytes((newline.join(lines) + newline).encode(encoding))
    return folder / "a.dat"


def braces(values: object) -> str:
    return "{" + ", ".join(map(str, values)) + "}"  # type: ignore[call-overload]


@pytest.mark.parametrize("interleave", ["Bsq", "Bil", "BIP", "bip"])
def test_spellings_of_the_interleave(tmp_path: Path, interleave: str) -> None:
    assert np.array_equal(open_cube(image(tmp_path, interleave=interleave)).window(0, 0, 4, 6), VALUES)


@pytest.mark.parametrize("gone", ["file type", "header offset", "byte order"])
def test_what_a_header_may_lack(tmp_path: Path, gone: str) -> None:
    assert np.array_equal(open_cube(image(tmp_path, drop=gone)).window(0, 0, 4, 6), VALUES)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_encodings_and_line_ends(tmp_path: Path, encoding: str, newline: str) -> None:
    extra = ["description = {", "  25 °C = warm,", "  more}", "; a comment = here", f"wavelength = {braces(CENTRES)}"]
    cube = open_cube(image(tmp_path, *extra, encoding=encoding, newline=newline))
    assert cube.wavelengths == CENTRES
    assert "25 °C = warm" in cube.metadata["description"]
    assert "; a comment" not in cube.metadata


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ({"byte_order": 7}, "has byte order = 7, which is neither 0 nor 1: repair it"),
        ({"data_type": 7}, "has data type = 7, which ENVI does not have"),
        ({"lines": -4}, "has lines = -4"),
        ({"bands": 0}, "has bands = 0"),
        ({"samples": "6.5"}, "has samples = 6.5"),
        ({"header_offset": -1}, "has header offset = -1"),
        ({"interleave": "bsx"}, "has interleave = bsx, which is none of bsq, bil, bip"),
        ({"file_compression": 1}, "says that its image is compressed"),
        ({"major_frame_offsets": "{0, 64}"}, "says that bytes lie between its frames"),
        ({"lines": 10**12}, "of 240 bytes is truncated, as its header means 60000000000000"),
        ({"data_type": 6}, "holds complex64 values where real numbers are expected"),
        ({"data_type": 9}, "holds complex128 values where real numbers are expected"),
    ],
)
def test_what_no_image_has(tmp_path: Path, entries: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as refusal:
        open_cube(image(tmp_path, **entries))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "extra",
    [
        f"wavelength = {braces(CENTRES)}",
        f"wavelengths = {braces(CENTRES)}",
        f"Center Wavelength = {braces(CENTRES)}",
        f"wavelength = {braces(centre / 1000 for centre in CENTRES)}",
        f"wavelength units = Angstroms\nwavelength = {braces(centre * 10 for centre in CENTRES)}",
        "band names = {" + ", ".join(f"Band {n} ({centre} Nanometers)" for n, centre in enumerate(CENTRES)) + "}",
        "band names = {" + ", ".join(f"B{n}_{centre / 1000} um" for n, centre in enumerate(CENTRES)) + "}",
        "band names = {" + ", ".join(f"B{n} ({centre * 10} Angstrom)" for n, centre in enumerate(CENTRES)) + "}",
        f"band names = {braces(CENTRES)}",
    ],
)
def test_where_and_in_what_wavelengths_stand(tmp_path: Path, extra: str) -> None:
    assert open_cube(image(tmp_path, extra)).wavelengths == CENTRES


@pytest.mark.parametrize("unit", ["Wavenumber", "GHz", "MHz", "Index", "Meters", "eV"])
def test_other_units_are_refused_by_name(tmp_path: Path, unit: str) -> None:
    path = image(tmp_path, f"wavelength units = {unit}", f"wavelength = {braces(CENTRES)}")
    with pytest.raises(ValueError, match=rf"states its wavelengths in the unit '{unit}'.*: give `wavelengths`"):
        open_cube(path)
    assert open_cube(path, wavelengths=CENTRES).wavelengths == CENTRES


def test_a_count_of_the_bands_is_no_list_of_wavelengths(tmp_path: Path) -> None:
    for unit in ("", "wavelength units = Unknown", "wavelength units = Nanometers"):
        assert open_cube(image(tmp_path, unit, "wavelength = {1, 2, 3, 4, 5}")).wavelengths is None
    micrometres = image(tmp_path, "wavelength units = Micrometers", "wavelength = {1, 2, 3, 4, 5}")
    assert open_cube(micrometres).wavelengths == (1000.0, 2000.0, 3000.0, 4000.0, 5000.0)
    assert open_cube(image(tmp_path, "band names = {Band 1, Band 2, Band 3, Band 4, Band 5}")).wavelengths is None


def test_bad_bands_and_ignored_values_are_known(tmp_path: Path) -> None:
    cube = open_cube(image(tmp_path, "bbl = {1, 0, 1, 1, 0}", f"data ignore value = {VALUES[2, 1, 3]}"))
    assert cube.bad_bands == (1, 4)
    mask = cube.missing(0, 0, cube.window(0, 0, 4, 6))
    assert mask is not None
    assert np.array_equal(mask, VALUES[2, 1, 3] == VALUES)


def test_written_entries_are_read_again(tmp_path: Path) -> None:
    entries = read_entries(
        image(tmp_path, "fwhm = {1, 2, 3, 4, 5}", 'coordinate system string = {PROJCS["a, b"]}').with_suffix(".hdr")
    )
    write_entries(tmp_path / "b.hdr", entries)
    assert read_entries(tmp_path / "b.hdr") == entries
    assert entries["coordinate system string"] == '{PROJCS["a, b"]}'
    assert stated_wavelengths(entries, 5) is None


def test_whole_numbers_may_have_a_point(tmp_path: Path) -> None:
    cube = open_cube(image(tmp_path, bands="5.0", header_offset="0.0"))
    assert np.array_equal(cube.window(0, 0, 4, 6), VALUES)
    for wrong in ("5.5", "inf", "nan", "five"):
        with pytest.raises(ValueError, match=f"has bands = {wrong}: repair it"):
            open_cube(image(tmp_path, bands=wrong))


def test_a_size_that_is_stated_twice_is_named_where_it_differs(tmp_path: Path) -> None:
    assert open_cube(image(tmp_path, "samples = 6")).shape == (5, 4, 6)
    with pytest.raises(ValueError, match=r"states 'samples' twice, as 6 and as 7: repair it"):
        open_cube(image(tmp_path, "Samples = 7"))


def test_a_list_of_bad_bands_of_another_length_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert open_cube(image(tmp_path, "bbl = {0, 1, 1, 1}")).bad_bands == ()
    assert "has 4 entries in bbl for 5 bands: no band is taken for a bad one." in caplog.text
