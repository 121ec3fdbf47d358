"""Scenes are chosen by name, by pattern or as a share."""

from __future__ import annotations

import pytest

from datamodules.splits.chosen import chosen
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
