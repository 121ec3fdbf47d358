"""Pairs without a named model are fused by the method that needs nothing; whoever names one gets that."""

from __future__ import annotations

import logging

import pytest

from experiments.configuration.files import packaged_configs
from experiments.configuration.filled_in.own_pairs import METHOD, names_pairs, with_fusion_method

PAIRS = ["--data", "FusionPair", "--data.root", "PAIRS"]


@pytest.mark.parametrize("command", ["predict", "test"])
@pytest.mark.parametrize("data", [PAIRS, ["--data=FusionPair"], ["--data", "datamodules.FusionPair"]])
def test_the_method_is_added_and_told(command: str, data: list[str], caplog: pytest.LogCaptureFixture) -> None:
    words = [command, *data, "--output", "OUT"]
    assert names_pairs(words)
    with caplog.at_level(logging.WARNING):
        assert with_fusion_method(words) == [command, "--config", METHOD, *words[1:]]
    assert caplog.messages == [
        "No model is named: the pairs are fused by GSA, which needs no training (--config solvers/gsa)."
    ]
    assert METHOD in packaged_configs()


@pytest.mark.parametrize(
    "named",
    [
        ["--config", "solvers/cnmf"],
        ["-c", "solvers/cnmf"],
        ["--config=solvers/cnmf"],
        ["--ckpt_path", "X.ckpt"],
        ["--model", "GSA"],
        ["--model.class_path", "lightning_modules.GSA"],
    ],
    ids=" ".join,
)
def test_a_model_that_is_named_is_taken(named: list[str], caplog: pytest.LogCaptureFixture) -> None:
    words = ["predict", *PAIRS, *named]
    assert with_fusion_method(words) == words
    assert caplog.messages == []


@pytest.mark.parametrize("command", ["fit", "adapt", "validate"])
def test_nothing_is_trained_without_being_told_what(command: str) -> None:
    assert with_fusion_method([command, *PAIRS]) == [command, *PAIRS]


def test_other_data_are_no_pairs() -> None:
    assert not names_pairs(["predict", "--data", "Folder", "--data.root", "FusionPair"])
    assert not names_pairs(["predict", "--data.root", "FusionPair"])
