"""Pairs without a named model are fused by the method that needs nothing; whoever names one gets that."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from experiments.configuration.files import PACKAGED, ConfigNotFoundError, packaged_configs
from experiments.configuration.filled_in.own_pairs import METHOD, names_pairs, with_fusion_method

CHECKPOINT = str(PACKAGED / "co2if" / "checkpoints" / "compact.ckpt")
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


@pytest.mark.parametrize("config", ["tasks/fusion", "trainer/cpu", "logger/csv"])
def test_a_config_that_names_no_model_leaves_the_method(config: str) -> None:
    words = ["test", *PAIRS, "--config", config]
    assert with_fusion_method(words) == ["test", "--config", METHOD, *words[1:]]
    with pytest.raises(ConfigNotFoundError, match="There is no config 'tasks/fussion'"):
        with_fusion_method(["test", *PAIRS, "--config", "tasks/fussion"])


@pytest.mark.parametrize("content", [b"a: [1\n", b"5\n", b"\xff\xfe", b"- results\n", b"model: {init_args: 5}\n", b""])
def test_a_config_that_cannot_be_read_is_left_to_the_parser(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "odd.yaml").write_bytes(content)
    words = ["test", *PAIRS, "--config", str(tmp_path / "odd.yaml")]
    assert with_fusion_method(words) == ["test", "--config", METHOD, *words[1:]]
    tested = [*words, "--ckpt_path", CHECKPOINT]
    assert with_fusion_method(tested) == [*tested, "--results", "ResultsTable", "--results.name", "CO2IF"]


def test_a_test_of_a_checkpoint_prints_the_tables_under_the_networks_name(tmp_path: Path) -> None:
    words = ["test", *PAIRS, "--ckpt_path", CHECKPOINT]
    assert with_fusion_method(words) == [*words, "--results", "ResultsTable", "--results.name", "CO2IF"]
    assert with_fusion_method(["predict", *words[1:]]) == ["predict", *words[1:]]
    own = tmp_path / "own.yaml"
    own.write_text("results: ResultsTable\n")
    for said in (["--results.folder", "T"], ["--results=ResultsTable"], ["--config", str(own)]):
        assert with_fusion_method([*words, *said]) == [*words, *said]


@pytest.mark.parametrize("command", ["fit", "adapt", "validate"])
def test_nothing_is_trained_without_being_told_what(command: str) -> None:
    assert with_fusion_method([command, *PAIRS]) == [command, *PAIRS]


def test_other_data_are_no_pairs() -> None:
    assert not names_pairs(["predict", "--data", "Folder", "--data.root", "FusionPair"])
    assert not names_pairs(["predict", "--data.root", "FusionPair"])
