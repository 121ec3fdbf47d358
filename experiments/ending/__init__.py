"""What the end of a command says: where its files are, and the command that comes next, ready to paste."""

from __future__ import annotations

import itertools
import json
import shlex
from collections.abc import Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datamodules import Folder, FusionPair
    from experiments.configuration.lightning_cli import HyperalignCLI

TRAINING = ("fit", "adapt")
_ONLY_ONCE = ("--ckpt_path", "--output", "--resume", "--verbose")
_WITHOUT_VALUE = ("--resume",)


def last_lines(places: Mapping[str, object], following: Sequence[str] = ()) -> str:
    """Return the last lines of a command: what lies where, and the command that comes next.

    Args:
        places: paths by what lies there.
        following: words of the next command after `hyperalign`; none where nothing follows.
    """
    lines = [f"{what + ':':<15} {place}\n" for what, place in places.items()]
    return "".join([*lines, *([f"{'next:':<15} {shlex.join(['hyperalign', *following])}\n"] if following else [])])


def restoring(kind: str, chosen: Sequence[str], root: str | None = None, read: Sequence[str] = ()) -> list[str]:
    """Return the words of the command that restores a folder of cubes, or fuses one of pairs.

    Args:
        kind: `Folder` or `FusionPair`.
        chosen: what they are restored by, such as `--ckpt_path` and a path.
        root: the folder; a word for the reader to fill in where it is not known.
        read: options by which its files are read.
    """
    place = root or ("PAIRS" if kind == "FusionPair" else "CUBES")
    return ["predict", "--data", kind, "--data.root", place, *read, "--output", "restored", *chosen]


def ending(command: HyperalignCLI, arguments: Sequence[str], also: Mapping[str, object] | None = None) -> str:
    """Return the lines about a finished run.

    Args:
        command: the finished command.
        arguments: what the user typed after `hyperalign`.
        also: what else lies where.
    """
    from experiments.ending.places import checkpoint_of, places_of

    name = arguments[0]
    if not command.trainer.is_global_zero:
        return ""
    checkpoint = checkpoint_of(command.trainer) if name in TRAINING else given_checkpoint(command)
    places = {**places_of(command.trainer, name in TRAINING), **(also or {})}
    return last_lines(places, next_command(command, arguments, checkpoint))


def given_checkpoint(command: HyperalignCLI) -> Path | None:
    """Return the checkpoint that a finished command was given, None where it was none by its path."""
    given = command.config[command.config["subcommand"]].get("ckpt_path")
    return Path(given) if given and Path(given).is_file() else None


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


def next_command(command: HyperalignCLI, arguments: Sequence[str], checkpoint: Path | None) -> list[str]:
    """Return the words of the command that comes after a run, none where nothing does.

    A fit or a validation is followed by the test of its checkpoint, an adaptation or a test by restoring cubes with it,
    or by fusing pairs; with a network of one's own a fit and an adaptation by the test. A test of a training-free
    method is followed by restoring with it.
    """
    from datamodules import Folder, FusionPair
    from lightning_modules import FusionModule

    name = arguments[0]
    if name == "predict":
        return []
    if checkpoint is None:
        return [] if name != "test" else _solved(command, arguments)
    # A checkpoint that names a user's class is not built from alone, so that its configs are named again.
    own = not type(getattr(command.model, "network", None)).__module__.startswith("lightning_modules")
    if name in ("fit", "validate") or (own and name != "test"):
        if not hasattr(command.datamodule, "test_dataloader") or not hasattr(command.model, "protocol"):
            return []
        return ["test", *without(arguments[1:]), "--ckpt_path", str(checkpoint)]
    if own:
        return []
    kind: type[Folder | FusionPair] = FusionPair if isinstance(command.model, FusionModule) else Folder
    root, read = None, list[str]()
    if isinstance(command.datamodule, kind):
        if type(command.datamodule).__module__.startswith("datamodules."):
            kind = type(command.datamodule)
        root, read = str(command.datamodule.root), reading(command, kind)
    return restoring(kind.__name__, ["--ckpt_path", str(checkpoint)], root, read)


def _solved(command: HyperalignCLI, arguments: Sequence[str]) -> list[str]:
    """Return the words of the command that restores by the method that a config of `solvers/` chose."""
    from lightning_modules.training_free import TrainingFreeModule
    from lightning_modules.training_free.fusion import FusionSolverModule

    configs = [after for word, after in itertools.pairwise(arguments) if word in ("--config", "-c")]
    method = next((one for one in configs if one.startswith("solvers/")), None)
    if method is None or not isinstance(command.model, TrainingFreeModule):
        return []
    kind = "FusionPair" if isinstance(command.model, FusionSolverModule) else "Folder"
    return restoring(kind, ["--config", method, *only(arguments, "--model.")])


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


def only(arguments: Sequence[str], start: str) -> list[str]:
    """Return the options of a command line whose names begin in one way, with their values."""
    kept: list[str] = []
    keeping = False
    for word in arguments:
        if word.startswith("--"):
            keeping = word.startswith(start)
        if keeping:
            kept.append(word)
    return kept


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
