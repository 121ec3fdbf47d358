"""What the end of a run says: where its files are, and the command that comes next, ready to paste."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from inspect import signature
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from datamodules import Folder, FusionPair
    from experiments.configuration.lightning_cli import HyperalignCLI

TRAINING = ("fit", "adapt")
_ONLY_ONCE = ("--ckpt_path", "--output", "--resume", "--verbose")
_WITHOUT_VALUE = ("--resume",)


def ending(command: HyperalignCLI, arguments: Sequence[str]) -> str:
    """Return the lines about a finished run.

    Args:
        command: the finished command.
        arguments: what the user typed after `hyperalign`.
    """
    from callbacks.reporting.places import checkpoint_of, places_of

    name = arguments[0]
    if not command.trainer.is_global_zero:
        return ""
    lines = [f"{what + ':':<15} {path}" for what, path in places_of(command.trainer, name in TRAINING).items()]
    checkpoint = checkpoint_of(command.trainer) if name in TRAINING else None
    following = next_command(command, arguments, checkpoint)
    if following:
        lines.append(f"{'next:':<15} {following}")
    return "".join(f"{line}\n" for line in lines)


def check_complete(command: HyperalignCLI) -> None:
    """Name the cubes that a finished run had to leave out.

    Raises:
        IncompleteError: if there are any, so that a script notices.
    """
    from datamodules import Folder
    from datamodules.scenes.failures import failure_table, incomplete

    data = command.datamodule
    if not isinstance(data, Folder) or data.role != "target" or not data.failures:
        return
    if command.trainer.is_global_zero:
        from rich.console import Console

        Console().print(failure_table(data.failures, "used"), markup=False, highlight=False)
    raise incomplete(data.failures, "used")


def next_command(command: HyperalignCLI, arguments: Sequence[str], checkpoint: Path | None) -> str:
    """Return the command that comes after a run, empty where nothing does.

    A fit is followed by the test of its checkpoint, an adaptation by restoring cubes with it, or by fusing pairs; with
    a network of one's own by the test as well.
    """
    from datamodules import Folder, FusionPair
    from lightning_modules import FusionModule

    if checkpoint is None:
        return ""
    # A checkpoint that names a user's class is not built from alone, so that its configs are named again.
    own = not type(getattr(command.model, "network", None)).__module__.startswith("lightning_modules")
    if arguments[0] == "fit" or own:
        if not hasattr(command.datamodule, "test_dataloader") or not hasattr(command.model, "protocol"):
            return ""
        return shlex.join(["hyperalign", "test", *without(arguments[1:]), "--ckpt_path", str(checkpoint)])
    kind: type[Folder | FusionPair] = FusionPair if isinstance(command.model, FusionModule) else Folder
    root, read = "PAIRS" if kind is FusionPair else "CUBES", list[str]()
    if isinstance(command.datamodule, kind):
        if type(command.datamodule).__module__.startswith("datamodules."):
            kind = type(command.datamodule)
        root, read = str(command.datamodule.root), reading(command, kind)
    words = ["predict", "--data", kind.__name__, "--data.root", root, *read, "--output", "restored", "--ckpt_path"]
    return shlex.join(["hyperalign", *words, str(checkpoint)])


def reading(command: HyperalignCLI, kind: type[Folder | FusionPair]) -> list[str]:
    """Return the options by which a run read its files, where they are not the usual ones; others may refuse them."""
    usual = {name: one.default for name, one in signature(kind.__init__).parameters.items() if name != "root"}
    usual["captions"] = None
    given = command.config[command.config["subcommand"]]["data"]["init_args"]
    changed = {name: given[name] for name in usual if name in given and given[name] != usual[name]}
    return [word for name, value in changed.items() for word in (f"--data.{name}", as_word(value))]


def as_word(value: object) -> str:
    """Return a setting as the command line takes it."""
    return value if isinstance(value, str) else json.dumps(value)


def without(arguments: Sequence[str], options: Sequence[str] = _ONLY_ONCE) -> list[str]:
    """Return a command line without some options and their values."""
    kept: list[str] = []
    dropping = False
    for word in arguments:
        name, equals, _ = word.partition("=")
        if name in options:
            dropping = not equals and name not in _WITHOUT_VALUE
        elif dropping and not word.startswith("--"):
            dropping = False
        else:
            dropping = False
            kept.append(word)
    return kept
