"""The model of a command that names a checkpoint and no model: what the checkpoint says of itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from experiments.configuration.files import find_config
from experiments.configuration.merged import dumped
from hyperalign.errors import UsageError

COMMANDS = ("validate", "test", "predict")
"""Commands that may take their model from a checkpoint; a fit needs what no checkpoint says, its loss and optimiser."""


CHOICES = {
    "--model",
    "--model.class_path",
    *(f"--model.{between}network{ending}" for between in ("", "init_args.") for ending in ("", ".class_path")),
}
"""Options that choose a model or its network."""


@contextmanager
def with_described_model(arguments: Sequence[str]) -> Iterator[list[str]]:
    """Give the command line with the model that the checkpoint describes as its first config, where nobody chose one.

    As a config it lies below all others, so that what they set about a model of any class is laid over it.

    Args:
        arguments: what stands after the program's name, `--config` values being paths of files.

    Raises:
        UsageError: where the checkpoint does not describe its network.
        CheckpointError: where it cannot be read, or names a class that a checkpoint must not have imported.
    """
    command = arguments[0] if arguments else ""
    checkpoint = value_of(arguments, "--ckpt_path")
    if command not in COMMANDS or not checkpoint or not Path(checkpoint).is_file() or chooses_model(arguments):
        yield list(arguments)
        return
    from lightning_modules.checkpoints import check_importable, of_any_machine, read_checkpoint, recorded_identity

    description = recorded_identity(read_checkpoint(checkpoint), checkpoint).get("module")
    if description is None:
        raise UsageError(
            f"Checkpoint {checkpoint} does not describe its network, as older and foreign ones do not: add its config, "
            "such as --config backbones/sert."
        )
    check_importable(description, checkpoint)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "described_by_the_checkpoint.yaml"
        path.write_text(dumped({"model": of_any_machine(description)}), encoding="utf-8")
        yield [command, "--config", str(path), *arguments[1:]]


def describes_model(arguments: Sequence[str]) -> bool:
    """Tell whether a command line names a checkpoint that says how its network is built.

    Raises:
        CheckpointError: where it is there and cannot be read.
    """
    checkpoint = value_of(arguments, "--ckpt_path")
    if not checkpoint or not Path(checkpoint).is_file():
        return False
    from lightning_modules.checkpoints import read_checkpoint, recorded_identity

    return recorded_identity(read_checkpoint(checkpoint), checkpoint).get("module") is not None


def described_network(arguments: Sequence[str]) -> str | None:
    """Return the class of the network that a command line's checkpoint describes, None where none is described."""
    checkpoint = value_of(arguments, "--ckpt_path")
    if not checkpoint or not Path(checkpoint).is_file():
        return None
    from lightning_modules.checkpoints import read_checkpoint, recorded_identity

    module = recorded_identity(read_checkpoint(checkpoint), checkpoint).get("module") or {}
    network = (module.get("init_args") or {}).get("network") or {}
    return str(network.get("class_path", "")).rpartition(".")[2] or None


def value_of(arguments: Sequence[str], option: str) -> str | None:
    """Return the last value of an option, given as `--option value` or `--option=value`."""
    found = None
    for index, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name == option:
            found = value if equals else next(iter(arguments[index + 1 : index + 2]), None)
    return found


def chooses_model(arguments: Sequence[str]) -> bool:
    """Tell whether a command line or one of its configs names the class of the model, or of its network.

    Raises:
        ConfigNotFoundError: where a `--config` names no file.
    """
    options = {argument.partition("=")[0] for argument in arguments}
    return not options.isdisjoint(CHOICES) or any(map(_names_class, given_configs(arguments)))


def given_configs(arguments: Sequence[str]) -> list[dict[str, Any]]:
    """Return what each config of a command line sets, in their order; nothing for those that cannot be read.

    Raises:
        ConfigNotFoundError: where a `--config` names no file.
    """
    found: list[dict[str, Any]] = []
    for index, argument in enumerate(arguments):
        option, equals, value = argument.partition("=")
        if option in ("-c", "--config"):
            name = value if equals else next(iter(arguments[index + 1 : index + 2]), "")
            found.append(_content(find_config(name)))
    return found


def _content(path: Path) -> dict[str, Any]:
    """Return what a config sets; nothing for files that cannot be read, which are left to the parser."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}


def _names_class(content: Mapping[str, Any]) -> bool:
    """Whether a config names the class of a model."""
    model = content.get("model")
    if isinstance(model, dict):
        arguments = model.get("init_args")
        return "class_path" in model or (isinstance(arguments, dict) and "network" in arguments)
    return isinstance(model, str)
