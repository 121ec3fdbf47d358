"""Ranks: one process alone, and two real ones that share, gather and end together."""

from __future__ import annotations

from pathlib import Path

import pytest

from hyperalign.ranks import Ranks, StageError, all_gathered, world
from tests.two_ranks import on_two_ranks


def sharing(_: Path) -> str:
    ranks = Ranks()
    with ranks.meeting():
        share = list(ranks.share("abcde"))
    return f"{ranks.rank}/{ranks.size} {''.join(share)} {ranks.first(lambda: ranks.rank + 10)}"


def test_items_are_shared_and_rank_zero_speaks_for_all(tmp_path: Path) -> None:
    assert on_two_ranks(tmp_path, sharing) == ["0/2 ace 10", "1/2 bd 10"]


def test_one_process_is_its_own_group() -> None:
    ranks = Ranks()
    assert (ranks.rank, ranks.size, list(ranks.share("abc")), ranks.first(lambda: 5)) == (0, 1, ["a", "b", "c"], 5)
    with pytest.raises(KeyError), ranks.meeting():
        raise KeyError


def gathering(_: Path) -> str:
    ranks = Ranks()
    size, rank = world()
    return f"{rank}/{size} {all_gathered(rank * 10)} {ranks.gathered({'rank': rank})}"


def test_every_rank_gets_every_item_in_the_order_of_the_ranks(tmp_path: Path) -> None:
    both = "[0, 10] [{'rank': 0}, {'rank': 1}]"
    assert on_two_ranks(tmp_path, gathering) == [f"0/2 {both}", f"1/2 {both}"]
    assert (world(), all_gathered("a"), Ranks().gathered("a")) == ((1, 0), ["a"], ["a"])


def ending(_: Path) -> str:
    ranks = Ranks()
    try:
        ranks.first(lambda: 1 // 0)
    except (ZeroDivisionError, StageError) as error:
        return f"{type(error).__name__}: {error}"
    return "went on"


def test_what_ends_the_first_rank_ends_the_other_with_its_words(tmp_path: Path) -> None:
    assert on_two_ranks(tmp_path, ending) == [
        "ZeroDivisionError: integer division or modulo by zero",
        "StageError: Rank 0 of 2 ended the stage with ZeroDivisionError: integer division or modulo by zero",
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_shares_are_disjoint_even_and_complete(size: int) -> None:
    ranks = Ranks()
    ranks.size = size
    shares = []
    for number in range(size):
        ranks.rank = number
        shares.append(list(ranks.share(range(7))))
    assert sorted(item for share in shares for item in share) == list(range(7))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
