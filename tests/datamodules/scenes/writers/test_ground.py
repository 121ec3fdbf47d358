"""The ground under every corner stays where it is on a finer grid, against the maps written out."""

from __future__ import annotations

import numpy as np
import pytest

from datamodules.scenes.facts.geotiff import PIXEL_SCALE, RATIONAL, TIE_POINTS, TRANSFORMATION
from datamodules.scenes.writers.ground import envi_place, tiff_place, world_file

BEFORE, AFTER = (5, 21, 35), (5, 84, 140)
CORNERS = [(0.0, 0.0), (35.0, 21.0), (12.5, 3.25)]
"""Columns and rows from the corner of the first pixel, in pixels of the coarse grid."""
POINTS = (34735, 3, 8, (1, 1, 0, 1, 1025, 0, 1, 2))


def test_envi() -> None:
    entries: dict[str, str | list[str]] = {
        "map info": ["UTM", "11.5", "6.5", "500000", "5000000", "10", "20", "33", "North"],
        "pixel size": ["10", "20", "units=Meters"],
        "geo points": ["1.0", "1.0", "47.1", "15.0", "36.0", "22.0", "47.0", "15.1"],
        "x start": "101",
        "y start": "51",
        "rpc info": ["1", "2"],
        "description": "{kept}",
    }
    placed = envi_place(entries, BEFORE, AFTER)
    old, new = ([float(part) for part in one["map info"][1:7]] for one in (entries, placed))
    for column, row in CORNERS:
        ground = [
            (one[2] + (column * factor + 1 - one[0]) * one[4], one[3] - (row * factor + 1 - one[1]) * one[5])
            for one, factor in ((old, 1), (new, 4))
        ]
        np.testing.assert_allclose(ground[0], ground[1], rtol=0, atol=1e-6)
    assert placed["pixel size"] == ["2.5", "5", "units=Meters"]
    assert [float(part) for part in placed["geo points"]] == [1, 1, 47.1, 15, 141, 85, 47, 15.1]
    assert (placed["x start"], placed["y start"]) == ("401", "201")
    assert "rpc info" not in placed
    assert placed["description"] == "{kept}"
    assert envi_place(entries, BEFORE, BEFORE) == entries


def test_entries_that_cannot_be_read_are_left_out() -> None:
    assert envi_place({"map info": ["UTM", "x"], "x start": "?"}, BEFORE, AFTER) == {}


def test_world_file() -> None:
    texts = ["10\n0.5\n-0.25\n-20\n500000\n5000000\n"]
    texts.append(world_file(texts[0], BEFORE, AFTER))
    for column, row in CORNERS:
        ground = []
        for text, factor in zip(texts, (1, 4), strict=True):
            right, down_right, right_down, down, x, y = map(float, text.split())
            across, along = column * factor - 0.5, row * factor - 0.5
            ground.append((x + across * right + along * right_down, y + across * down_right + along * down))
        np.testing.assert_allclose(ground[0], ground[1], rtol=0, atol=1e-6)
    assert world_file("1 2 3", BEFORE, AFTER) == world_file("a\nb\nc\nd\ne\nf", BEFORE, AFTER) == ""


def test_rational_polynomials() -> None:
    numbers = tuple(float(number) for number in range(92))
    ((_, _, _, placed),) = tiff_place(((RATIONAL, 12, 92, numbers),), BEFORE, AFTER)
    for column, row in CORNERS:
        # Normalised line and sample of the same ground, counted from the centre of the first pixel.
        for offset, scale, coarse in ((2, 7, row), (3, 8, column)):
            before = (coarse - 0.5 - numbers[offset]) / numbers[scale]
            after = (coarse * 4 - 0.5 - placed[offset]) / placed[scale]
            assert after == pytest.approx(before)
    assert placed[:2] + placed[4:7] + placed[9:] == numbers[:2] + numbers[4:7] + numbers[9:]


@pytest.mark.parametrize("points", [False, True])
def test_tie_points(points: bool) -> None:
    tags = ((PIXEL_SCALE, 12, 3, (10.0, 20.0, 0.0)), (TIE_POINTS, 12, 6, (10.0, 5.0, 0.0, 5e5, 5e6, 0.0)))
    placed = tiff_place((*tags, POINTS) if points else tags, BEFORE, AFTER)
    shift = 0.5 if points else 0.0
    for column, row in CORNERS:
        ground = []
        for found, factor in ((tags, 1), (placed, 4)):
            (_, _, _, scale), (_, _, _, tie) = found[:2]
            place = (column * factor - shift - tie[0], row * factor - shift - tie[1])
            ground.append((tie[3] + place[0] * scale[0], tie[4] - place[1] * scale[1]))
        np.testing.assert_allclose(ground[0], ground[1], rtol=0, atol=1e-6)


@pytest.mark.parametrize("points", [False, True])
def test_transformations(points: bool) -> None:
    matrix = (8.0, -6.0, 0.0, 5e5, -6.0, -8.0, 0.0, 5e6, *[0.0] * 7, 1.0)
    tags = ((TRANSFORMATION, 12, 16, matrix), POINTS) if points else ((TRANSFORMATION, 12, 16, matrix),)
    finer = np.reshape(tiff_place(tags, BEFORE, AFTER)[0][3], (4, 4))
    shift = 0.5 if points else 0.0
    for column, row in CORNERS:
        ground = [
            one @ (column * factor - shift, row * factor - shift, 0.0, 1.0)
            for one, factor in ((np.reshape(matrix, (4, 4)), 1), (finer, 4))
        ]
        np.testing.assert_allclose(ground[0], ground[1], rtol=0, atol=1e-6)
