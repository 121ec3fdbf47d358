"""TIFF files of GDAL: masks, marks, wavelengths in its metadata, thumbnails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from datamodules.scenes.readers import open_cube

CUBE = np.random.default_rng(2).uniform(0.1, 0.9, (5, 40, 48)).astype(np.float32)
CENTRES = (420.0, 450.0, 480.0, 510.5, 660.0)
ITEM = '<Item name="{}" sample="{}" role="{}">{}</Item>'


def gdal(items: list[str], nodata: object = None) -> list[tuple[int, str, int, Any, bool]]:
    """GDAL's tags."""
    tags: list[tuple[int, str, int, Any, bool]] = [
        (42112, "s", 0, "<GDALMetadata>" + "".join(items) + "</GDALMetadata>", True)
    ]
    return tags + ([(42113, "s", 0, str(nodata), True)] if nodata is not None else [])


def write(path: Path, *, tags: Any = (), **options: Any) -> Path:  # noqa: ANN401
    tifffile.imwrite(path, CUBE, photometric="minisblack", metadata=None, extratags=tags, **options)
    return path


@pytest.mark.parametrize(
    "items",
    [
        [ITEM.format("wavelength", band, "", centre) for band, centre in enumerate(CENTRES)],
        [ITEM.format("CENTRAL_WAVELENGTH_UM", band, "", centre / 1000) for band, centre in enumerate(CENTRES)],
        [
            ITEM.format("DESCRIPTION", band, "description", f"B{band} {centre} nm")
            for band, centre in enumerate(CENTRES)
        ],
        [f'<Item name="Band_{band + 1}">{centre} Nanometers</Item>' for band, centre in enumerate(CENTRES)],
        ['<Item name="wavelength">{' + ", ".join(map(str, CENTRES)) + "}</Item>"],
        [ITEM.format("wavelength", band, "", centre * 10) for band, centre in enumerate(CENTRES)]
        + ['<Item name="wavelength_units">Angstroms</Item>'],
    ],
)
def test_wavelengths_in_gdals_metadata(tmp_path: Path, items: list[str]) -> None:
    assert open_cube(write(tmp_path / "a.tif", tags=gdal(items))).wavelengths == pytest.approx(CENTRES)


def test_metadata_beside_the_file(tmp_path: Path) -> None:
    bands = "".join(
        f'<PAMRasterBand band="{band + 1}"><NoDataValue>0.5</NoDataValue><Metadata><MDI key="wavelength">{centre}</MDI>'
        "</Metadata></PAMRasterBand>"
        for band, centre in enumerate(CENTRES)
    )
    path = write(tmp_path / "a.tif")
    (tmp_path / "a.tif.aux.xml").write_text(f"<PAMDataset>{bands}</PAMDataset>")
    cube = open_cube(path)
    assert cube.wavelengths == CENTRES
    assert cube.marks.declared == (0.5,)
    (tmp_path / "a.tif.aux.xml").write_text("<!DOCTYPE x [<!ENTITY a 'b'>]><PAMDataset>&a;</PAMDataset>")
    assert open_cube(path).wavelengths is None


@pytest.mark.parametrize("where", ["inside", "beside"])
def test_masks(tmp_path: Path, where: str) -> None:
    path = tmp_path / "a.tif"
    valid = np.ones((40, 48), np.uint8) * 255
    valid[:, :10] = 0
    with tifffile.TiffWriter(path) as file:
        file.write(
            CUBE.transpose(1, 2, 0), planarconfig="contig", photometric="minisblack", tile=(16, 16), metadata=None
        )
        file.write(CUBE[:, ::4, ::4].transpose(1, 2, 0).copy(), photometric="minisblack", subfiletype=1, metadata=None)
        if where == "inside":
            file.write(valid > 0, photometric="mask", subfiletype=4, metadata=None)
    if where == "beside":
        tifffile.imwrite(tmp_path / "a.tif.msk", valid, photometric="minisblack", metadata=None)
    cube = open_cube(path)
    values = cube.window(3, 5, 20, 20)
    assert np.array_equal(values, CUBE[:, 3:23, 5:25])
    mask = cube.missing(3, 5, values)
    assert mask is not None
    assert mask[:, :, :5].all()
    assert not mask[:, :, 5:].any()
    with pytest.raises(ValueError, match=r"holds missing values \(where its mask is 0\)"):
        cube.complete(0, 0, 40, 48)


def test_a_mask_of_another_size_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "a.tif.msk", np.ones((7, 9), np.uint8))
    cube = open_cube(path)
    with pytest.raises(ValueError, match=r"mask of .* has 7 x 9 pixels where the cube has 40 x 48"):
        cube.missing(0, 0, cube.window(0, 0, 2, 2))


@pytest.mark.parametrize(("nodata", "marks"), [("-9999", (-9999.0,)), ("0", (0.0,)), ("-3.4e+38", (-3.4e38,))])
def test_marks(tmp_path: Path, nodata: str, marks: tuple[float, ...]) -> None:
    assert open_cube(write(tmp_path / "a.tif", tags=gdal([], nodata))).marks.declared == marks
