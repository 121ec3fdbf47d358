"""Values against the plain types of signatures: refused where that is certain, passed on everywhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.configuration.unimported.commands import Command, command
from experiments.configuration.unimported.settings import Words
from experiments.configuration.unimported.values import refused


@pytest.fixture(scope="module")
def predict() -> Command:
    return command("predict")


def data(**given: object) -> dict[str, object]:
    return {"data": {"class_path": "datamodules.CAVE", "init_args": given}}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"trainer": {"max_epochs": Words("abc")}}, "'trainer.max_epochs': expected type int, got abc."),
        ({"trainer": {"max_epochs": "abc"}}, "'trainer.max_epochs': expected type int, got abc."),
        ({"seed_everything": Words("so")}, "'seed_everything': expected type bool, got so."),
        ({"writer": {"tile": Words("big")}}, "'writer.tile': expected type int, got big."),
        ({"weights_only": Words("so")}, "'weights_only': expected type bool, got so."),
        (data(crop=Words("1.5")), "'data.crop': expected type int, got 1.5."),
        (data(role=Words("sourc")), "'data.role': expected one of source, target, got sourc."),
        (
            data(observed=["a", 3]),
            "'data.observed': expected type str, got 3: put a name that is a number in quotes, as in '[\"3\"]'.",
        ),
        (
            data(relighting={"class_path": "Relighting", "init_args": {"probability": Words("high")}}),
            "'data.relighting.probability': expected type float, got high.",
        ),
    ],
)
def test_the_first_value_that_its_type_refuses(predict: Command, settings: dict[str, object], sentence: str) -> None:
    assert refused(predict, settings) == sentence


@pytest.mark.parametrize(
    "settings",
    [
        {"trainer": {"max_epochs": Words("3"), "precision": Words("bf16-mixed"), "logger": Words("maybe")}},
        {"trainer": {"max_epochs": Words("null"), "accumulate_grad_batches": None}},
        {"trainer": Words("abc"), "data": Words("abc"), "no_such_key": Words("abc")},
        data(root=Words("3"), no_such_key=Words("abc"), degradation=Words("abc")),
        {"data": {"class_path": "nowhere.NoSuchClass", "init_args": {"crop": Words("abc")}}},
        {"data": {"init_args": {"crop": Words("abc")}}},
    ],
    ids=["valid", "nothing", "no sections", "keys and classes", "unknown class", "no class"],
)
def test_what_is_right_or_uncertain_passes(predict: Command, settings: dict[str, object]) -> None:
    assert refused(predict, settings) is None


def test_a_file_that_the_parser_would_read_passes(
    predict: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = data(observed=Words("names.yaml"))
    assert refused(predict, settings) == "'data.observed': expected type list, got names.yaml."
    Path("names.yaml").write_text("[balloons]")
    assert refused(predict, settings) is None
