"""The nearest name to a misspelt one."""

from __future__ import annotations

import pytest

from experiments.configuration.names import nearest_name, present_config, present_option, present_settings


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


def test_older_names_stand_for_the_present_ones_and_others_are_left_alone() -> None:
    assert present_config("sources/hsigene") == "generators/hsigene"
    assert present_config("experiments/sources/hsigene.yaml") == "experiments/generators/hsigene.yaml"
    assert present_config("my/sources/hsigene") == "my/sources/hsigene"
    for old, new in (
        ("--synthesis.source", "--synthesis.generator"),
        ("--synthesis.init_args.source.init_args.root=x", "--synthesis.init_args.generator.init_args.root=x"),
        ("--synthesis.guides.source.size", "--synthesis.guides.generator.size"),
        ("--model.source", "--model.source"),
        ("--synthesis.sources", "--synthesis.sources"),
    ):
        assert present_option(old) == new
    content = {"synthesis": {"init_args": {"source": {"class_path": "A"}, "ratio": 2}}, "model": {"source": "x"}}
    present_settings(content)
    assert content == {
        "synthesis": {"init_args": {"ratio": 2, "generator": {"class_path": "A"}}},
        "model": {"source": "x"},
    }
    nested = {"synthesis": {"guides": {"init_args": {"source": 1}}}}
    present_settings(nested)
    assert nested == {"synthesis": {"guides": {"init_args": {"generator": 1}}}}
    for odd in ({"synthesis": None}, {"synthesis": "A"}, {"synthesis": {"init_args": [1]}}, {}):
        kept = dict(odd)
        present_settings(odd)
        assert odd == kept
