"""What is answered without importing torch is what the parser answers."""

from __future__ import annotations

import pytest
import yaml

from experiments import cli
from experiments.cli import main
from experiments.configuration.errors import ConfigError
from experiments.configuration.files import ConfigNotFoundError, resolve_configs
from experiments.configuration.lightning_cli import HyperalignCLI
from experiments.configuration.unimported.answers import answered

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


VALUES = (
    ["--trainer.max_epochs", "abc"],
    ["--trainer.precision", "12"],
    ["--seed_everything", "maybe"],
    ["--data.role", "sourc"],
    ["--data.degradation.sigmas", "[1, x]"],
)


@pytest.mark.parametrize("mistake", VALUES, ids=lambda words: words[0])
def test_a_value_of_another_type_gets_the_sentence_of_the_parser(
    mistake: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["fit", *words_of(ADAPT, *mistake)]
    monkeypatch.setattr(HyperalignCLI, "from_arguments", lambda words: pytest.fail("the parser was asked"))
    quick = outcome(arguments, capsys)
    monkeypatch.undo()
    assert quick[0] == 2
    monkeypatch.setattr(cli, "answered", lambda words: False)
    assert outcome(arguments, capsys) == quick


@pytest.mark.parametrize("words", [["--data.rooot", "X"], ["--model.foo", "3"], ["--proxy.rounds", "2"]], ids=" ".join)
def test_settings_of_a_class_that_nobody_named(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HyperalignCLI, "from_arguments", lambda words: pytest.fail("the parser was asked"))
    quick = outcome(["fit", *words], capsys)
    section = words[0].removeprefix("--").partition(".")[0]
    assert quick[2] == (
        f"error: No class was given for {section!r} (on the command line): add its class_path, or the config that has "
        "it.\n"
    )
    monkeypatch.undo()
    monkeypatch.setattr(cli, "answered", lambda words: False)
    assert outcome(["fit", *words], capsys) == quick


TAKEN = (
    ["--trainer.max_epochs", "-1"],
    ["--trainer.precision", "16-mixed"],
    ["--trainer.devices", "[0, 1]"],
    ["--trainer.max_time", "00:00:01:00"],
    ["--trainer.limit_train_batches", "0.5"],
    ["--trainer.gradient_clip_val", "1e-3"],
    ["--data.crop", "null"],
    ["--data.root", "3"],
    ["--data.observed", "[a, 3b]"],
    ["--model.optimizer.lr", "3"],
    ["--ckpt_path", "null"],
)


@pytest.mark.parametrize("words", TAKEN, ids=" ".join)
def test_what_the_parser_takes_is_not_refused(words: list[str]) -> None:
    assert not answered(["fit", *resolve_configs(words_of(ADAPT, *words))])


LACKING = {
    ("fit",): "'data' and 'model', which are",
    ("predict",): "'data' and 'model', which are",
    ("fit", "--data", "SampleScenes"): "'model', which is",
    ("fit", "--model", "RestorationModule", "--model.network", "SERT"): "'data', which is",
}


@pytest.mark.parametrize("words", LACKING, ids=" ".join)
def test_a_run_without_data_or_model_is_refused_at_once(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HyperalignCLI, "from_arguments", lambda words: pytest.fail("the parser was asked"))
    quick = outcome(list(words), capsys)
    assert quick == (2, "", f"error: No value was given for {LACKING[words]} required.\n")
    monkeypatch.undo()
    monkeypatch.setattr(cli, "answered", lambda words: False)
    assert outcome(list(words), capsys) == quick


@pytest.mark.parametrize("command", ["prepare", "caption"])
def test_a_command_of_data_without_data_is_refused_at_once(command: str) -> None:
    with pytest.raises(ConfigError, match=r"^No value was given for 'data', which is required\.$"):
        answered([command, "--config", "logger/csv"])
    assert not answered([command, "--config", "data/cave", "--output", "captions.json", "--verify"])
    assert not answered([command, "--data", "CAVE"])
    with pytest.raises(ConfigNotFoundError):
        answered([command, "--config", "data/cav"])
