"""GDAL's metadata about single bands, in the tag or beside the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from datamodules.scenes.readers import open_cube
from datamodules.scenes.readers.gdal_items import (
    Item,
    items_beside,
    items_of_tag,
    missing_text,
    of_other_bands,
    wavelengths_of,
)
from tests.datamodules.scenes.readers.gdal_files import CENTRES, ITEM, gdal, write


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


def tag(*items: str) -> str:
    return "<GDALMetadata>" + "".join(items) + "</GDALMetadata>"


def test_entries_have_names_texts_and_bands() -> None:
    text = tag(ITEM.format("Wavelength", 1, "", "450"), '<Item name="sensor">x</Item>')
    assert items_of_tag(text) == [Item("wavelength", "450", 1), Item("sensor", "x")]
    entity = '<!DOCTYPE a [<!ENTITY x "y">]>'
    assert items_of_tag(entity + text) == items_of_tag("<GDALMetadata>") == items_of_tag("") == []


def test_there_is_a_centre_for_every_band_or_none_at_all() -> None:
    items = [Item("wavelength", str(centre), band) for band, centre in enumerate(CENTRES)]
    assert wavelengths_of([*items[::-1], Item("wavelength_units", "nm")], 5) == (list(CENTRES), "nm")
    assert wavelengths_of(items[1:], 5) is None
    assert wavelengths_of([Item("wavelength", str(band), band) for band in range(5)], 5) is None
    named = [Item(f"band_{band + 1}", f"B{band} ({centre / 1000} um)") for band, centre in enumerate(CENTRES)]
    assert wavelengths_of(named, 5) == ([centre / 1000 for centre in CENTRES], "um")


def test_entries_follow_their_bands() -> None:
    text = tag(*(ITEM.format("gain", band, "", band * 10) for band in range(3)), '<Item name="sensor">x</Item>')
    moved = items_of_tag(of_other_bands(text, (2, 0)))
    assert sorted((item.sample, item.text) for item in moved if item.name == "gain") == [(0, "20"), (1, "0")]
    assert [item.text for item in moved if item.name == "sensor"] == ["x"]
    assert items_of_tag(of_other_bands(text, None)) == [Item("sensor", "x")]
    assert of_other_bands(tag(ITEM.format("gain", 0, "", 1)), None) == of_other_bands("no XML", (0,)) == ""


def test_marks_of_missing_values_are_gathered(tmp_path: Path) -> None:
    (tmp_path / "a.tif.aux.xml").write_text(
        '<PAMDataset><Metadata><MDI key="NODATA">-1</MDI></Metadata>'
        '<PAMRasterBand band="2"><NoDataValue>-9999</NoDataValue></PAMRasterBand></PAMDataset>'
    )
    items = items_beside(tmp_path / "a.tif")
    assert items == [Item("nodata", "-1"), Item("nodatavalue", "-9999", 1)]
    assert missing_text(items) == "-1 -9999"
    assert items_beside(tmp_path / "b.tif") == []


def test_a_claim_of_any_number_of_bands_costs_nothing() -> None:
    items = items_of_tag(tag('<Item name="wavelength" sample="0">420</Item>'))
    assert wavelengths_of(items, 1 << 60) is None
