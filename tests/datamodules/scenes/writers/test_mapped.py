"""Formats whose values lie in the file as they are: header, tags and layout of the source."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from datamodules.scenes.readers import open_cube
from datamodules.scenes.writers import writer_for
from datamodules.scenes.writers.mapped import stored_shape
from tests.datamodules.scenes.make_cubes import CENTRES, cube_values, write_cube
from tests.datamodules.scenes.writers.by_tiles import written_by_tiles


def test_envi_keeps_its_header_and_its_place(tmp_path: Path) -> None:
    path = write_cube(tmp_path, "bil", cube_values(), CENTRES)
    header = path.with_suffix(".hdr")
    place = "map info = {UTM, 1.000, 1.000, 500000.0, 4649776.0, 30.0, 30.0, 33, North, WGS-84, units=Meters}"
    header.write_text(
        header.read_text()
        + f"{place}\ndescription = {{a made cube}}\nfwhm = {{1, 2, 3, 4, 5}}\ndata ignore value = 0\n"
    )
    source = open_cube(path)
    written_by_tiles(writer_for(source, tmp_path / "same" / "cube.bil"), cube_values())
    same = open_cube(tmp_path / "same" / "cube.bil")
    for entry in ("map info", "description", "fwhm", "data ignore value", "interleave"):
        assert same.metadata[entry] == source.metadata[entry]
    written_by_tiles(
        writer_for(source, tmp_path / "fine" / "cube.bil", "float32", CENTRES[:3], (3, 24, 45)),
        np.zeros((3, 24, 45)),
    )
    fine = open_cube(tmp_path / "fine" / "cube.bil")
    assert fine.metadata["fwhm"] == "{1, 2, 3}"
    assert [part.strip() for part in fine.metadata["map info"].strip("{}").split(",")][3:8] == [
        *("500000.0", "4649776.0", "10.0", "15.0", "33")
    ]
    with pytest.raises(ValueError, match="ENVI files hold no float16 values"):
        writer_for(source, tmp_path / "x.bil", np.float16)


def test_a_header_keeps_its_kind_of_name(tmp_path: Path) -> None:
    path = write_cube(tmp_path, "bsq", cube_values(), CENTRES)
    path.with_suffix(".hdr").rename(tmp_path / "cube.bsq.hdr")
    written_by_tiles(writer_for(open_cube(path), tmp_path / "out" / "other.bsq"), cube_values())
    assert sorted(entry.name for entry in (tmp_path / "out").iterdir()) == ["other.bsq", "other.bsq.hdr"]


@pytest.mark.parametrize("kind", ["tiff", "tiff_contig", "tiff_separate", "tiff_deflate"])
def test_geotiff_keeps_its_tags_and_its_layout(tmp_path: Path, kind: str) -> None:
    source = open_cube(write_cube(tmp_path, kind, cube_values(), CENTRES))
    written_by_tiles(writer_for(source, tmp_path / "out" / "same.tif"), cube_values())
    written_by_tiles(writer_for(source, tmp_path / "out" / "fine.tif", shape=(5, 24, 45)), np.zeros((5, 24, 45)))
    with (
        tifffile.TiffFile(source.path) as old,
        tifffile.TiffFile(tmp_path / "out" / "same.tif") as new,
        tifffile.TiffFile(tmp_path / "out" / "fine.tif") as fine,
    ):
        for code in (33550, 33922, 34735, 42113):
            assert new.pages.first.tags[code].value == old.pages.first.tags[code].value
        assert len(new.pages) == len(old.pages)
        assert new.pages.first.planarconfig == old.pages.first.planarconfig
        assert new.pages.first.samplesperpixel == old.pages.first.samplesperpixel
        assert fine.pages.first.tags[33550].value == (10.0, 15.0, 0.0)


@pytest.mark.parametrize(("kind", "axes"), [("bsq", (0, 1, 2)), ("bil", (1, 0, 2)), ("bip", (1, 2, 0))])
def test_envi_values_lie_in_the_order_of_their_interleave(tmp_path: Path, kind: str, axes: tuple[int, ...]) -> None:
    source = open_cube(write_cube(tmp_path, kind, cube_values(), CENTRES))
    path = tmp_path / "out" / f"cube.{kind}"
    written_by_tiles(writer_for(source, path, "float32"), cube_values())
    assert np.array_equal(np.fromfile(path, "<f4"), cube_values().transpose(axes).astype("<f4").ravel())


@pytest.mark.parametrize("kind", ["npy", "npy_hwc"])
def test_npy_values_lie_in_the_order_of_the_source(tmp_path: Path, kind: str) -> None:
    source = open_cube(write_cube(tmp_path, kind, cube_values()))
    written_by_tiles(writer_for(source, tmp_path / "out.npy"), cube_values())
    assert np.array_equal(np.load(tmp_path / "out.npy"), np.load(source.path))


def test_notes_stand_in_the_header_and_in_the_description(tmp_path: Path) -> None:
    for kind, name in (("bsq", "out.bsq"), ("tiff", "out.tif")):
        source = open_cube(write_cube(tmp_path / kind, kind, cube_values(), CENTRES))
        writer = writer_for(source, tmp_path / name)
        writer.notes["made by"] = "a network"
        written_by_tiles(writer, cube_values())
    assert open_cube(tmp_path / "out.bsq").metadata["made by"] == "a network"
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        description = json.loads(file.pages.first.description)
        assert np.array_equal(file.asarray(), cube_values())
    assert description == {"wavelengths": CENTRES, "made by": "a network"}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (1, 0, 2)])
def test_the_stored_shape_is_that_of_a_transposed_array(order: tuple[int, int, int]) -> None:
    stored = np.zeros(stored_shape((3, 5, 7), order))
    assert stored.transpose(order).shape == (3, 5, 7)


@pytest.mark.parametrize("suffix", [".tfw", ".TFW", ".wld"])
def test_a_world_file_and_a_projection_beside_a_tiff_are_written_beside_the_new_one(
    tmp_path: Path, suffix: str
) -> None:
    source = write_cube(tmp_path, "tiff_deflate", cube_values(), CENTRES)
    source.with_suffix(suffix).write_text("30\n0\n0\n-30\n500015\n4600000\n")
    source.with_suffix(".prj").write_text('PROJCS["UTM"]')
    source.with_suffix(".txt").write_text("nothing of ours")
    target = tmp_path / "out" / source.name
    written_by_tiles(writer_for(open_cube(source), target, shape=(5, 24, 30)), np.zeros((5, 24, 30)))
    assert sorted(path.name for path in target.parent.iterdir()) == sorted(["cube.prj", f"cube{suffix}", "cube.tif"])
    assert target.with_suffix(suffix).read_text() == "15.0\n0.0\n0.0\n-15.0\n500007.5\n4600007.5\n"
    assert target.with_suffix(".prj").read_text() == 'PROJCS["UTM"]'


def test_a_mark_that_only_the_file_beside_declares_is_declared_in_the_new_one(tmp_path: Path) -> None:
    source = tmp_path / "cube.tif"
    tifffile.imwrite(source, cube_values(), photometric="minisblack", metadata=None)
    (tmp_path / "cube.tif.aux.xml").write_text(
        '<PAMDataset><PAMRasterBand band="1"><NoDataValue>-7.5</NoDataValue></PAMRasterBand></PAMDataset>'
    )
    target = tmp_path / "out" / "cube.tif"
    written_by_tiles(writer_for(open_cube(source), target, "float32"), cube_values())
    assert open_cube(target).marks.declared == (-7.5,)
