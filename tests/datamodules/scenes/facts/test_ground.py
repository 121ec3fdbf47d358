"""The outline of an image from ENVI's entries and GeoTIFF's tags, and what states none."""

from __future__ import annotations

import pytest

from datamodules.scenes.facts.geotiff import GEO_KEYS, PIXEL_SCALE, TIE_POINTS, Tag
from datamodules.scenes.facts.ground import Ground, envi_ground, tiff_ground

EXPECTED = Ground("UTM 31 North", 700.0, 900.0, 60.0, 30.0, 4, 6)
MAP = ["UTM", "1", "1", "700", "900", "60", "30", "31", "North", "WGS-84", "units=Meters"]


def tags(tie: object, scale: object = (60.0, 30.0, 0.0), raster: int = 1, code: int = 32631) -> list[Tag]:
    keys = (1, 1, 0, 2, 1025, 0, 1, raster, 3072, 0, 1, code)
    return [(PIXEL_SCALE, 12, 3, scale), (TIE_POINTS, 12, 6, tie), (GEO_KEYS, 3, len(keys), keys)]


def test_envi_counts_pixels_from_one_and_geotiff_from_zero_or_from_the_middle_of_points() -> None:
    assert envi_ground({"map info": MAP}, 4, 6) == EXPECTED
    assert envi_ground({"map info": ["UTM", "3", "2.5", "820", "855", *MAP[5:]]}, 4, 6) == EXPECTED
    assert tiff_ground(tags((0, 0, 0, 700, 900, 0)), 4, 6) == EXPECTED
    assert tiff_ground(tags((2, 1, 0, 820, 870, 0)), 4, 6) == EXPECTED
    assert tiff_ground(tags((0, 0, 0, 730, 885, 0), raster=2), 4, 6) == EXPECTED


def test_other_systems_keep_a_name_of_their_own() -> None:
    south = tiff_ground(tags((0, 0, 0, 7, 9, 0), code=32755), 4, 6)
    other = tiff_ground(tags((0, 0, 0, 7, 9, 0), code=2154), 4, 6)
    assert (south and south.system, other and other.system) == ("UTM 55 South", "[(1025, 1), (3072, 2154)]")


@pytest.mark.parametrize(
    "entry",
    [
        "UTM",
        [],
        ["Arbitrary", *MAP[1:]],
        MAP[:5],
        [*MAP[:3], "x", *MAP[4:]],
        [*MAP, "rotation=30"],
        [*MAP[:5], "0", *MAP[6:]],
    ],
)
def test_entries_that_state_no_outline(entry: str | list[str]) -> None:
    assert envi_ground({"map info": entry}, 4, 6) is None
    assert envi_ground({}, 4, 6) is None


@pytest.mark.parametrize(
    ("tie", "scale"),
    [
        ((0, 0, 0, 7, 9, 0), 60.0),
        ((0, 0, 0, 7, 9, 0), (60.0, -30.0, 0.0)),
        ((0, 0, 0, 7, 9, 0) * 2, (60.0, 30.0, 0.0)),
        ("corner", (60.0, 30.0, 0.0)),
    ],
)
def test_tags_that_state_no_outline(tie: object, scale: object) -> None:
    assert tiff_ground(tags(tie, scale), 4, 6) is None
    assert tiff_ground([], 4, 6) is None


def test_borders_are_compared_in_pixels() -> None:
    assert EXPECTED.apart(EXPECTED) == 0.0
    moved = Ground("UTM 31 North", 760.0, 900.0, 30.0, 15.0, 8, 12)
    assert EXPECTED.apart(moved) == 1.0
    taller = Ground("UTM 31 North", 700.0, 900.0, 30.0, 15.0, 14, 12)
    assert EXPECTED.apart(taller) == 3.0
