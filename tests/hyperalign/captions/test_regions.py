"""What a caption with regions says of a scene and of its parts."""

from __future__ import annotations

import copy

from hyperalign.captions import Region, RegionCaption, Window, caption_of

CAPTION = RegionCaption(
    "A table with fruit.",
    [
        Region(Window(0, 0, 4, 4), "A red apple."),
        Region(Window(0, 4, 4, 4), "A lemon."),
        Region(Window(8, 8, 1, 1), "Salt."),
    ],
)


def test_shared_pixels_are_those_of_both_windows() -> None:
    window = Window(2, 3, 4, 5)
    cells = {(row, column) for row in range(2, 6) for column in range(3, 8)}
    for other in (Window(0, 0, 3, 4), Window(5, 7, 9, 9), Window(3, 4, 1, 1), Window(6, 3, 2, 2), Window(0, 0, 9, 9)):
        others = {
            (row, column)
            for row in range(other.top, other.top + other.height)
            for column in range(other.left, other.left + other.width)
        }
        assert window.shared(other) == other.shared(window) == len(cells & others)


def test_a_window_is_told_what_it_shows_the_larger_part_first() -> None:
    assert caption_of(CAPTION, Window(0, 0, 2, 2)) == "A red apple."
    assert caption_of(CAPTION, Window(0, 3, 4, 4)) == "A lemon. A red apple."
    assert caption_of(CAPTION, Window(0, 2, 4, 4)) == "A red apple. A lemon."
    assert caption_of(CAPTION, Window(5, 0, 3, 3)) == "A table with fruit."
    assert caption_of("plain", Window(0, 0, 2, 2)) == "plain"


def test_a_window_in_coarse_pixels_is_the_same_ground_in_fine_ones() -> None:
    assert Window(1, 2, 3, 4).enlarged(8) == (8, 16, 24, 32)


def test_it_is_its_caption_and_survives_a_copy() -> None:
    assert CAPTION == "A table with fruit."
    back = copy.deepcopy(CAPTION)
    assert back == CAPTION
    assert back.regions == CAPTION.regions


def test_a_part_has_the_regions_that_reach_into_it_in_its_own_pixels() -> None:
    part = CAPTION.within(Window(2, 2, 8, 8))
    assert str(part) == "A table with fruit."
    assert part.regions == (
        Region(Window(0, 0, 2, 2), "A red apple."),
        Region(Window(0, 2, 2, 4), "A lemon."),
        Region(Window(6, 6, 1, 1), "Salt."),
    )
    assert CAPTION.within(Window(20, 20, 4, 4)).regions == ()
    coarse = CAPTION.within(Window(0, 0, 12, 12), 3)
    assert [one.box for one in coarse.regions] == [(0, 0, 2, 2), (0, 1, 2, 2), (2, 2, 1, 1)]


def test_regions_without_a_pixel_of_the_scene_are_told() -> None:
    assert [one.text for one in CAPTION.beyond(8, 12)] == ["Salt."]
    assert CAPTION.beyond(9, 9) == ()
