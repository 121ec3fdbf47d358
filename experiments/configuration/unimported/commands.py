"""What the commands that run a Trainer take at the top level, read from the sources."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from experiments.configuration.names import CALLBACKS
from experiments.configuration.unimported.modules import Definition, UncertainError, find
from experiments.configuration.unimported.signatures import Parameter, class_of, method_parameters, parameters

TRAINER = "experiments.configuration.trainer.AdaptingTrainer"
MODULE = "lightning.pytorch.core.module.LightningModule"
DATA = "lightning.pytorch.core.datamodule.LightningDataModule"
CALLBACK = "lightning.pytorch.callbacks.callback.Callback"
WRITER = "callbacks.PredictionWriter"

KINDS = {"model": MODULE, "data": DATA, **dict.fromkeys(CALLBACKS, CALLBACK)}
"""The sections that hold one object each, and what it must be."""

WRITING = ("adapt", "predict")
WRITER_KEYS = ("output", "resume", "writer")
CHANGED = {"default_root_dir": "runs", "weights_only": True}
"""Defaults that this house gives to Lightning's arguments."""

_NOT_GIVEN = {"model", "datamodule", "dataloaders", "train_dataloaders", "val_dataloaders"}


@dataclass
class Command:
    """The keys of one command.

    Attributes:
        trainer: arguments of the Trainer.
        method: arguments of the Trainer's method that the command runs.
        writer: arguments of what writes restored cubes, where the command has one.
    """

    trainer: list[Parameter]
    method: list[Parameter]
    writer: list[Parameter] = field(default_factory=list)

    @property
    def keys(self) -> set[str]:
        """The keys of the top level that are no word of the command line alone."""
        writing = WRITER_KEYS if self.writer else ()
        return {"seed_everything", "trainer", *KINDS, *writing, *(one.name for one in self.method)}


def command(name: str) -> Command:
    """Return the keys of a command.

    Raises:
        UncertainError: where the sources do not tell them.
    """
    trainer = class_of(find(TRAINER), TRAINER)
    method = [one for one in method_parameters(trainer, name) if one.name not in _NOT_GIVEN]
    if name == "predict":
        method = [one for one in method if one.name != "return_predictions"]
    writer = parameters(class_of(find(WRITER), WRITER)) if name in WRITING else []
    return Command(parameters(trainer), method, writer)


def default_of(parameter: Parameter) -> object:
    """Return a default as YAML holds it.

    Raises:
        UncertainError: where it is required, or no plain value.
    """
    if parameter.default is None:
        raise UncertainError(parameter.name)
    node, module = parameter.default, parameter.module
    if isinstance(node, ast.Name | ast.Attribute):
        named = _constant(node, module.name)
        node = named.node if named is not None and isinstance(named.node, ast.expr) else node
    try:
        return plain(ast.literal_eval(node))
    except ValueError as error:
        raise UncertainError(parameter.name) from error


def _constant(node: ast.expr, module: str) -> Definition | None:
    return find(f"{module}.{ast.unparse(node)}") if isinstance(node, ast.Name) else None


def plain(value: object) -> object:
    """Return a value with lists in the place of tuples, as YAML has them."""
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise UncertainError(repr(value))
