"""What is answered without importing torch is what the parser answers."""

from __future__ import annotations

import pytest
import yaml

from experiments import cli
from experiments.cli import main

ADAPT = ("backbones/sert_compact", "data/cave", "tasks/gaussian", "hir_align/adapt")
COMBINED = {
    "adapt": ADAPT,
    "pretrain": ("tasks/complex", "hir_align/pretrain", "backbones/promptir", "data/sample_scenes"),
    "fusion": ("co2if/cave", "co2if/compact"),
    "guides": (*ADAPT, "guides/unclip", "logger/csv"),
    "solver": ("solvers/rctv", "data/icvl", "tasks/gaussian"),
}


def words_of(names: tuple[str, ...], *words: str) -> list[str]:
    return [*(word for name in names for word in ("--config", name)), *words]


def outcome(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[object, str, str]:
    capsys.readouterr()
    try:
        code: object = main(arguments)
    except SystemExit as stopped:
        code = stopped.code
    captured = capsys.readouterr()
    return code or 0, captured.out, captured.err


@pytest.mark.parametrize("name", COMBINED)
@pytest.mark.parametrize("command", ["fit", "test", "adapt"])
def test_the_whole_configuration_is_the_parsers(
    name: str, command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if command != "fit" and name != "adapt":
        pytest.skip("one combination is enough for the other commands")
    arguments = [command, *words_of(COMBINED[name], "--data.seed", "3", "--trainer.max_epochs=2", "--print_config")]
    quick = outcome(arguments, capsys)
    monkeypatch.setattr(cli, "answered", lambda words: False)
    slow = outcome(arguments, capsys)
    assert yaml.safe_load(quick[1]) == yaml.safe_load(slow[1])
    assert (quick[0], quick[2]) == (slow[0], slow[2])


MISTAKES = (
    ["--data.rot", "x"],
    ["--model.netwrk.dim", "3"],
    ["--model.network.dimm", "3"],
    ["--trainer.max_epoch", "3"],
    ["--traner.max_epochs", "3"],
    ["--synthesis.guides.strngth", "0.1"],
    ["--data.degradation.sigma", "[1]"],
    ["--ckpt_pth", "x"],
    ["--model.optimizer.learning_rate", "0.1"],
)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda words: words[0])
def test_a_misspelt_key_gets_the_sentence_of_the_parser(
    mistake: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["fit", *words_of(ADAPT, *mistake)]
    quick = outcome(arguments, capsys)
    assert quick[0] == 2
    monkeypatch.setattr(cli, "answered", lambda words: False)
    assert outcome(arguments, capsys) == quick
