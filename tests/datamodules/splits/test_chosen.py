"""Scenes are chosen by name, by pattern or as a share."""

from __future__ import annotations

import pytest

from datamodules.splits.chosen import Chosen, chosen, parted
from hyperalign.errors import InputError


def test_scenes_are_chosen_by_name_pattern_and_share() -> None:
    names = ["a1.mat", "a2.npy", "b1.tif", "b2.img"]
    assert chosen(["a*", "b2"], names, "observed") == ["a1.mat", "a2.npy", "b2.img"]
    assert chosen(0.5, names, "observed") == ["a2.npy", "b2.img"]
    assert chosen(1.0, names, "observed") == names
    assert chosen(None, names, "observed") == []
    with pytest.raises(InputError, match=r"No cube fits 'c\*' of data\.init_args\.observed; there are a1\.mat"):
        chosen(["c*"], names, "observed")
    with pytest.raises(InputError, match=r"data\.init_args\.observed is 2 but must be a share"):
        chosen(2.0, names, "observed")


def test_a_name_may_hold_what_patterns_are_made_of() -> None:
    names = ["a[0].npy", "a0.npy", "why?.npy"]
    assert chosen(["a[0]"], names, "observed") == ["a[0].npy", "a0.npy"]
    assert chosen(["a[0].npy", "why?"], names, "observed") == ["a[0].npy", "a0.npy", "why?.npy"]


def test_a_share_is_taken_of_what_the_other_leaves() -> None:
    names = list("abcdefgh")
    for observed, unobserved, sizes in (
        (0.5, 0.5, (4, 4)),
        (0.75, 0.25, (6, 2)),
        (0.25, 0.5, (2, 4)),
        (None, 0.25, (6, 2)),
    ):
        seen, held = parted(observed, unobserved, names)
        assert (len(seen), len(held)) == sizes
        assert not set(seen) & set(held)
    assert parted(["a", "b"], 0.75, names) == (["a", "b"], list("cdefgh"))
    assert parted(0.5, ["a", "b"], names)[1] == ["a", "b"]
    assert parted(["a", "b"], None, names) == (["a", "b"], list("cdefgh"))
    assert parted(None, None, names) == (names, [])


@pytest.mark.parametrize(
    ("observed", "unobserved", "sentence"),
    [
        (["a"], ["a", "b"], "The cubes a are both observed and unobserved"),
        (0.75, 0.5, "are 0.75 and 0.5, more than all cubes: give shares of at most 1 together"),
        (0.0, None, r"No cube is observed of the 3 there are: set data\.init_args\.observed"),
        (None, 1.0, r"No cube is observed of the 3 there are: leave some out of data\.init_args\.unobserved"),
        (0.5, ["*"], "No cube is observed of the 3"),
        ([], None, "No cube is observed of the 3"),
    ],
)
def test_what_cannot_be_parted(observed: Chosen, unobserved: Chosen, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        parted(observed, unobserved, ["a", "b", "c"])
