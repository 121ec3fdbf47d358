"""The keys of each command, and defaults as YAML holds them, against the objects that Python has."""

from __future__ import annotations

import ast
import inspect

import pytest

from callbacks import PredictionWriter
from experiments.configuration.names import CALLBACKS
from experiments.configuration.trainer import AdaptingTrainer
from experiments.configuration.unimported.commands import KINDS, command, default_of, plain
from experiments.configuration.unimported.modules import Module, UncertainError
from experiments.configuration.unimported.signatures import Parameter
from tests.experiments.configuration.unimported.sources import module


@pytest.mark.parametrize("name", ["fit", "validate", "test", "predict", "adapt"])
def test_a_command_takes_what_its_method_and_the_trainer_take(name: str) -> None:
    found = command(name)
    method = set(inspect.signature(getattr(AdaptingTrainer, name)).parameters) - {"self", "model", "datamodule"}
    taken = {one.name for one in found.method}
    assert taken == {one for one in method if "dataloader" not in one} - {"return_predictions"}
    assert "ckpt_path" in taken
    assert {one.name for one in found.trainer} == set(inspect.signature(AdaptingTrainer.__init__).parameters) - {"self"}
    assert found.keys >= {"seed_everything", "trainer", "model", "data", *CALLBACKS, *taken}


def test_only_commands_that_restore_take_where_to_write() -> None:
    written = {one.name for one in command("predict").writer}
    assert written == set(inspect.signature(PredictionWriter.__init__).parameters) - {"self"}
    assert {"output", "resume", "writer"} <= command("adapt").keys
    assert not {"output", "resume", "writer"} & command("fit").keys
    assert set(KINDS) == {"model", "data", *CALLBACKS}


def parameter(default: str | None, of: Module | None = None) -> Parameter:
    node = None if default is None else ast.parse(default, mode="eval").body
    return Parameter("one", None, node, of or module("experiments.configuration.names"))


@pytest.mark.parametrize(
    ("written", "value"),
    [("3", 3), ("(1, 2)", [1, 2]), ("None", None), ("{'a': (1,)}", {"a": [1]}), ("-1e-3", -1e-3), ("'x'", "x")],
)
def test_a_default_is_what_yaml_holds(written: str, value: object) -> None:
    assert default_of(parameter(written)) == value


def test_a_named_constant_is_looked_up() -> None:
    of = module("callbacks.reporting.drawing")
    assert default_of(parameter("FULL_SIZE", module("datamodules.pairs.full_size"))) == "full_size"
    with pytest.raises(UncertainError):
        default_of(parameter("NO_SUCH_NAME", of))


@pytest.mark.parametrize("written", [None, "make()", "object", "{1, 2}"])
def test_what_is_required_or_made_is_uncertain(written: str | None) -> None:
    with pytest.raises(UncertainError):
        default_of(parameter(written))


def test_plain_values_are_what_yaml_has() -> None:
    assert plain({"a": ((1, 2.5), None, True)}) == {"a": [[1, 2.5], None, True]}
    with pytest.raises(UncertainError):
        plain(object())
