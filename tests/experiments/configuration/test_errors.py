"""A wrong configuration is answered in one sentence, with exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.cli import main
from experiments.configuration.errors import innermost_reason
from tests.experiments import fakes  # noqa: F401 - makes the short class names known

CASES = {
    "top-level key": (
        ["--traner.max_epochs", "3"],
        "There is no key 'traner' (on the command line): the nearest valid key is 'trainer'.",
    ),
    "key of the trainer, abbreviated": (
        ["--trainer.max_epoch", "3"],
        "There is no key 'trainer.max_epoch' (on the command line): the nearest valid key is 'trainer.max_epochs'.",
    ),
    "key of the model": (
        ["--model.lerning_rate", "3"],
        "There is no key 'model.lerning_rate' (on the command line): the nearest valid key is 'model.learning_rate'.",
    ),
    "key of the network": (
        ["--model.network.bnds", "3"],
        "There is no key 'model.network.bnds' (on the command line): the nearest valid key is 'model.network.bands'.",
    ),
    "key of a callback": (
        ["--trainer.callbacks+=TinyStage", "--trainer.callbacks.ration", "3"],
        "There is no key 'trainer.callbacks[0].ration' (on the command line): "
        "the nearest valid key is 'trainer.callbacks[0].ratio'.",
    ),
    "key above a key": (
        ["--model.netwrk.bands", "3"],
        "There is no key 'model.netwrk' (on the command line): the nearest valid key is 'model.network'.",
    ),
    "key of another class than the file's": (
        ["--model.network", "torch.nn.Linear", "--model.network.in_featurs", "3"],
        "There is no key 'model.network.in_featurs' (on the command line): "
        "the nearest valid key is 'model.network.in_features'.",
    ),
    "short class name": (
        ["--model.network", "TinyNetwok"],
        "There is no class 'TinyNetwok' for 'model.network' (on the command line): "
        "the nearest valid class is 'TinyNetwork'.",
    ),
    "dotted class name": (
        ["--data", "tests.experiments.fakes.TinyScene"],
        "There is no class 'tests.experiments.fakes.TinyScene' for 'data' (on the command line): "
        "the nearest valid class is 'tests.experiments.fakes.TinyScenes'.",
    ),
    "class of another kind": (
        ["--data", "tests.experiments.fakes.TinyRestorer"],
        "'data': Import path does not correspond to a subclass of LightningDataModule, "
        "got tests.experiments.fakes.TinyRestorer.",
    ),
    "wrong value": (
        ["--model.network.bands", "many"],
        "'model.network.bands': expected type int, got many.",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_on_the_command_line(case: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options, sentence = CASES[case]
    assert main(["fit", "--config", "tiny.yaml", *options]) == 2
    assert capsys.readouterr().err == f"error: {sentence}\n"


YAML_CASES = {
    "top-level key": (
        "traner: {max_epochs: 3}\n",
        "There is no key 'traner' (in over.yaml): the nearest valid key is 'trainer'.",
    ),
    "nested init_args": (
        "model: {init_args: {network: {init_args: {bnds: 3}}}}\n",
        "There is no key 'model.network.bnds' (in over.yaml): the nearest valid key is 'model.network.bands'.",
    ),
    "key of a callback in a list": (
        "trainer: {callbacks: [{class_path: TinyStage, init_args: {ration: 1}}]}\n",
        "There is no key 'trainer.callbacks[0].ration' (in over.yaml): "
        "the nearest valid key is 'trainer.callbacks[0].ratio'.",
    ),
    "class of a callback": (
        "trainer: {callbacks: [{class_path: tests.experiments.fakes.TinyStag}]}\n",
        "There is no class 'tests.experiments.fakes.TinyStag' for 'trainer.callbacks[0]' (in over.yaml): "
        "the nearest valid class is 'tests.experiments.fakes.TinyStage'.",
    ),
    "misspelt init_args": (
        "model: {init_arg: {learning_rate: 3}}\n",
        "There is no key 'model.init_arg' (in over.yaml): the nearest valid key is 'model.init_args'.",
    ),
    "not YAML": (
        "model: [1,\n x: : y\n",
        "YAML cannot be read in over.yaml, line 2, column 5: expected the node content, but found ':'.",
    ),
}


@pytest.mark.parametrize("case", YAML_CASES)
def test_a_mistake_in_a_file_names_the_file(case: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, sentence = YAML_CASES[case]
    (folder / "over.yaml").write_text(text)
    assert main(["fit", "--config", "tiny.yaml", "--config", "over.yaml"]) == 2
    assert capsys.readouterr().err == f"error: {sentence}\n"


def test_a_misspelt_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ftt", "--trainer.max_epochs", "3"]) == 2
    assert capsys.readouterr().err == "error: There is no command 'ftt': the nearest one is 'fit'.\n"


def test_a_missing_required_setting(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--data", "TinyScenes", "--model", "TinyRestorer"]) == 2
    assert capsys.readouterr().err == "error: No value was given for 'model.network', which is required.\n"


def test_an_overlay_without_the_config_that_names_the_class(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "over.yaml").write_text("model: {init_args: {learning_rate: 3}}\n")
    assert main(["fit", "--config", "over"]) == 2
    assert capsys.readouterr().err == (
        "error: No class was given for 'model' (in over.yaml): add its class_path, or the config that has it.\n"
    )


def test_a_missing_config_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--config", "tiny", "--config", "nowhere"]) == 2
    assert capsys.readouterr().err.startswith("error: There is no config 'nowhere', neither in the working directory")


def test_a_message_that_is_no_trace_becomes_one_line() -> None:
    assert innermost_reason("unrecognized arguments: 7") == "unrecognized arguments: 7."
    assert innermost_reason('Parser key "a":\n  Errors:\n    - Parser key "b": too small\n') == "'a.b': too small."
