"""The nearest name to a misspelt one."""

from __future__ import annotations

import pytest

from experiments.configuration.names import nearest_name


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("SERTT", "SERT"), ("sert", "SERT"), ("trq3d", "TRQ3DNet"), ("Drrn", "gdrrn"), ("zzz", "mcnet")],
)
def test_whatever_its_case_the_nearest_is_named_as_it_is_spelt(name: str, nearest: str) -> None:
    candidates = ["SERT", "TRQ3DNet", "gdrrn"] if name != "zzz" else ["mcnet"]
    assert nearest_name(name, candidates) == nearest


def test_the_order_of_the_candidates_does_not_matter_and_none_is_none() -> None:
    candidates = ["alpha", "beta", "gamma", "Alpha"]
    assert nearest_name("alphe", candidates) == nearest_name("alphe", candidates[::-1])
    assert nearest_name("alpha", []) == ""
