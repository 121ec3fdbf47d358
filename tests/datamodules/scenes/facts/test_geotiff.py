"""GeoTIFF's list of keys, and tags that hold something else than numbers."""

from __future__ import annotations

import pytest

from datamodules.scenes.facts.geotiff import (
    GEO_KEYS,
    GEOGRAPHIC_TAGS,
    PIXEL_SCALE,
    PLACE_TAGS,
    Tag,
    counts_centres,
    geo_keys,
    numbers_of,
)

KEYS = (1, 1, 0, 3, 1025, 0, 1, 2, 3072, 0, 1, 32631, 2049, 34737, 7, 0)


def test_keys_are_those_whose_value_stands_beside_them() -> None:
    tags: list[Tag] = [(PIXEL_SCALE, 12, 3, (60.0, 30.0, 0.0)), (GEO_KEYS, 3, len(KEYS), KEYS)]
    assert geo_keys(tags) == {1025: 2, 3072: 32631}
    assert counts_centres(tags)
    assert numbers_of(tags, PIXEL_SCALE) == (60.0, 30.0, 0.0)
    assert not counts_centres([(GEO_KEYS, 3, 8, (1, 1, 0, 1, 1025, 0, 1, 1))])
    assert not counts_centres([(GEO_KEYS, 3, 8, (1, 1, 0, 1, 1025, 34736, 1, 2))])


@pytest.mark.parametrize("value", [60.0, "60 30", None, ("a", "b"), (), (1, 1, 0)])
def test_a_tag_of_something_else_says_nothing(value: object) -> None:
    tags: list[Tag] = [(GEO_KEYS, 2, 1, value)]
    assert geo_keys(tags) == {}
    assert not counts_centres(tags)
    assert geo_keys([]) == {}


def test_what_says_the_place_is_part_of_what_is_kept() -> None:
    assert PLACE_TAGS == (33550, 33922, 34264, 34735, 34736, 34737)
    assert (*PLACE_TAGS, 42112, 42113, 50844) == GEOGRAPHIC_TAGS
