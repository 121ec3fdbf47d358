"""Compressed TIFF files: only what lies under a window is decoded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from datamodules.scenes.readers import open_cube, tiff_segments
from datamodules.scenes.readers.tiff_segments import read_window
from tests.datamodules.scenes.make_cubes import cube_values


@pytest.mark.parametrize("layout", ["pages", "contig", "separate"])
@pytest.mark.parametrize("tile", [None, (16, 32)])
def test_only_the_compressed_segments_under_a_window_are_decoded(
    tmp_path: Path, layout: str, tile: tuple[int, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = cube_values(5, 50, 70)
    stored = values.transpose(1, 2, 0) if layout == "contig" else values
    tifffile.imwrite(
        tmp_path / "a.tif",
        stored,
        photometric="minisblack",
        planarconfig=None if layout == "pages" else layout,
        compression="zlib",
        predictor=2,
        tile=tile,
        rowsperstrip=None if tile else 8,
        metadata=None,
    )
    cube = open_cube(tmp_path / "a.tif")
    decoded: list[int] = []
    segments = tiff_segments._segments

    def counted(*arguments: Any) -> Any:  # noqa: ANN401
        for segment, position in segments(*arguments):
            decoded.append(segment.size)
            yield segment, position

    monkeypatch.setattr(tiff_segments, "_segments", counted)
    assert np.array_equal(cube.window(17, 33, 10, 9), values[:, 17:27, 33:42])
    assert sum(decoded) == 5 * (16 * 32 if tile else 16 * 70)
    assert np.array_equal(cube.window(0, 0, 50, 70), values)
    assert cube.window(49, 69, 1, 1).tolist() == values[:, 49:, 69:].tolist()


def test_pages_that_are_rows_of_a_compressed_file(tmp_path: Path) -> None:
    values = cube_values(31, 20, 22)
    tifffile.imwrite(tmp_path / "a.tif", values.transpose(1, 2, 0), photometric="minisblack", compression="zlib")
    assert np.array_equal(open_cube(tmp_path / "a.tif", axes="HWC").window(3, 4, 9, 8), values[:, 3:12, 4:12])


def test_a_tile_of_which_nothing_was_stored_is_zero(tmp_path: Path) -> None:
    values = cube_values(2, 32, 48)
    values[:, 16:, 16:32] = 0
    tiles = [values[band, r : r + 16, c : c + 16] for band in (0, 1) for r in (0, 16) for c in (0, 16, 32)]
    tifffile.imwrite(
        tmp_path / "a.tif", (tile if tile.any() else None for tile in tiles), shape=values.shape, dtype=values.dtype,
        tile=(16, 16), compression="zlib", photometric="minisblack", metadata=None,
    )  # fmt: skip
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert 0 in file.pages.first.databytecounts
        window = read_window(file.series[0], (2, 32, 48), slice(10, 30), slice(9, 40))
    assert np.array_equal(window, values[:, 10:30, 9:40])
