"""HDF5 and netCDF products: where they keep wavelengths and marks."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from datamodules.scenes.readers import open_cube

CUBE = np.random.default_rng(2).uniform(0.1, 0.9, (5, 20, 24)).astype(np.float32)
CENTRES = (420.0, 450.0, 480.0, 510.5, 660.0)


def test_emit(tmp_path: Path) -> None:
    picture = CUBE.transpose(1, 2, 0).copy()
    picture[:, :3] = -9999
    with h5py.File(tmp_path / "a.nc", "w") as file:
        file.create_dataset("reflectance", data=picture).attrs["_FillValue"] = np.array([-9999], "f4")
        file["sensor_band_parameters/wavelengths"] = np.array(CENTRES, "f4")
        file["sensor_band_parameters/good_wavelengths"] = np.array([1, 1, 0, 1, 1], "f4")
        file["location/glt_x"] = np.zeros((9, 9), "i4")
    cube = open_cube(tmp_path / "a.nc")
    assert cube.wavelengths == pytest.approx(CENTRES)
    assert cube.bad_bands == (2,)
    mask = cube.missing(0, 0, cube.window(0, 0, 20, 24))
    assert mask is not None
    assert mask[:, :, :3].all()
    assert not mask[:, :, 3:].any()
    assert cube.maximum(0, 0, 20, 24) == picture.max()


def test_prisma(tmp_path: Path) -> None:
    key = "HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields/VNIR_Cube"
    with h5py.File(tmp_path / "a.he5", "w") as file:
        file[key] = CUBE.transpose(1, 0, 2)
        file[key.replace("VNIR", "SWIR")] = CUBE.transpose(1, 0, 2)
        file.attrs["List_Cw_Vnir"] = np.array(CENTRES[::-1], "f4")
        file.attrs["List_Cw_Swir"] = np.array(CENTRES[::-1], "f4") + 600
    cube = open_cube(tmp_path / "a.he5", key=key, axes="HCW")
    assert cube.wavelengths == pytest.approx(CENTRES[::-1])
    assert np.array_equal(cube.window(2, 3, 5, 6), CUBE[:, 2:7, 3:9])
    with pytest.raises(ValueError, match="HCW if they are between"):
        open_cube(tmp_path / "a.he5", key=key)
    assert open_cube(tmp_path / "a.he5", key="VNIR_Cube", axes="HCW").metadata["key"] == key
    with pytest.raises(ValueError, match="has no data set 'Cube'"):
        open_cube(tmp_path / "a.he5", key="Cube", axes="HCW")


@pytest.mark.parametrize("fill", [-32767, 0, None])
def test_fill_values_of_data_sets(tmp_path: Path, fill: int | None) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("cube", data=CUBE, fillvalue=fill)
    assert open_cube(tmp_path / "a.h5").marks.declared == ((-32767.0,) if fill else ())


def test_unused_bands_of_prisma_have_no_centre_and_are_not_usable(tmp_path: Path) -> None:
    key = "HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields/VNIR_Cube"
    for centres, found, bad in (
        ([0, 0, 700, 690, 680], (720, 710, 700, 690, 680), (0, 1)),
        ([700, 690, 680, 670, 0], (700, 690, 680, 670, 660), (4,)),
    ):
        with h5py.File(tmp_path / "a.he5", "w") as file:
            file[key] = CUBE.transpose(1, 0, 2)
            file.attrs["List_Cw_Vnir"] = np.array(centres, "f4")
        cube = open_cube(tmp_path / "a.he5", axes="HCW")
        assert (cube.wavelengths, cube.bad_bands) == (found, bad)


def test_what_is_not_valid_and_marks_of_groups(tmp_path: Path) -> None:
    values = (CUBE * 1000).astype(np.int16)
    values[2, 3, 4] = 2000
    with h5py.File(tmp_path / "a.nc", "w") as file:
        file["group/cube"] = values
        file["group/cube"].attrs["valid_range"] = np.array([0, 1000], "i2")
        file["group/nodata"] = values[1, 2, 3]
        file.attrs["_FillValue"] = values[0, 0, 0]
    cube = open_cube(tmp_path / "a.nc")
    assert cube.marks.declared == (float(values[1, 2, 3]),)
    mask = cube.missing(0, 0, cube.window(0, 0, 20, 24))
    assert mask is not None
    assert np.array_equal(mask, (values == values[1, 2, 3]) | (values == 2000))
    assert cube.maximum(0, 0, 20, 24) == values[~mask].max()
    with h5py.File(tmp_path / "a.nc", "a") as file:
        del file["group/nodata"]
    assert open_cube(tmp_path / "a.nc").marks.declared == (float(values[0, 0, 0]),)


@pytest.mark.parametrize("stated", [np.array(CENTRES) / 1000, "420, 450, 480, 510.5, 660"])
@pytest.mark.parametrize("group", ["/", "above"])
def test_centres_of_groups(tmp_path: Path, group: str, stated: object) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["above/cube"] = CUBE
        file[group].attrs["Wavelengths"] = stated
    assert open_cube(tmp_path / "a.h5").wavelengths == CENTRES


def test_units_of_data_sets(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["cube"] = CUBE
        file["wavelength"] = 1e7 / np.array(CENTRES)
        file["wavelength"].attrs["units"] = "cm-1"
    assert open_cube(tmp_path / "a.h5").wavelengths == pytest.approx(CENTRES)
