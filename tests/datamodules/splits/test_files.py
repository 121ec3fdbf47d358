"""The packaged splits, and drawing one."""

from pathlib import Path

import pytest

from datamodules.splits import draw_split, load_split, packaged_splits
from datamodules.splits.files import CAVE_SPLITS


def test_what_is_packaged() -> None:
    found = {
        (data_set, split): tuple(len(names) for names in load_split(data_set, split))
        for data_set in ("CAVE", "Harvard", "Chikusei")
        for split in packaged_splits(data_set)
    }
    assert found == {
        ("CAVE", "co2if"): (22, 10),
        ("Harvard", "co2if"): (30, 20),
        ("Harvard", "hsir"): (30, 20),
        ("Chikusei", "co2if"): (12, 4),
    }


def test_the_drawn_splits_are_what_seed_zero_draws() -> None:
    cave, harvard = sum(CAVE_SPLITS["hsir"], ()), sum(load_split("Harvard", "hsir"), ())
    assert len(set(harvard)) == 50
    assert load_split("CAVE", "co2if") == draw_split(cave, 22, seed=0)
    assert load_split("Harvard", "co2if") == draw_split(harvard, 30, seed=0)
    assert load_split("Chikusei", "co2if") == draw_split([f"patch_{number:02d}" for number in range(16)], 12, seed=0)


def test_the_harvard_lists_of_hsir_equal_the_reference_lists(shared: Path) -> None:
    for names, file in zip(load_split("Harvard", "hsir"), ("train", "test"), strict=True):
        assert list(names) == (shared / "data" / "splits" / f"harvard_hsir_{file}.txt").read_text().split()


def test_a_draw_depends_on_the_seed_and_not_on_the_order() -> None:
    names = [f"scene{number}" for number in range(20)]
    first, second = draw_split(names, 12, seed=0)
    assert (len(first), len(second)) == (12, 8)
    assert sorted(first + second) == sorted(names)
    assert draw_split(reversed(names), 12, seed=0) == (first, second)
    assert draw_split(names, 12, seed=1) != (first, second)
    for training in (0, 20):
        with pytest.raises(ValueError, match=f"split of 20 scenes cannot have {training} for training: choose 1 to 19"):
            draw_split(names, training, seed=0)


def test_an_unknown_split() -> None:
    with pytest.raises(ValueError, match="Harvard split 'nosuch' is unknown: choose co2if, hsir or all"):
        load_split("Harvard", "nosuch")
