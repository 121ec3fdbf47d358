"""Finds the YAML file that a `--config` argument names."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from experiments.configuration.names import nearest_name, present_config, present_option
from hyperalign.errors import HyperalignError, MissingFileError, UsageError

PACKAGED = Path(__file__).resolve().parent.parent
"""Folder of the experiments that come with the package."""

NO_CONFIGS = ("tables", "sweeps")
"""Folders whose YAML files say which runs there are, and are no configuration of a run."""

_OPTIONS = ("--config", "-c")


class ConfigNotFoundError(HyperalignError, FileNotFoundError):
    """A `--config` argument names no file; the message is one sentence with the nearest existing names."""

    exit_code = 2


def packaged_configs(folder: Path = PACKAGED) -> list[str]:
    """Return the names of the experiments below `folder`, without `.yaml`, as `--config` takes them."""
    found = (path.relative_to(folder) for path in folder.rglob("*.yaml"))
    return sorted(path.with_suffix("").as_posix() for path in found if path.parts[0] not in NO_CONFIGS)


def find_config(name: str, folder: Path = PACKAGED) -> Path:
    """Find a config file by its name.

    Args:
        name: a path with or without `.yaml`, relative to the working directory, to `folder`, or to the folder above it
            (so that `experiments/data/cave.yaml` works from anywhere).
        folder: the packaged experiments.

    Returns:
        The first existing file in that order.

    Raises:
        ConfigNotFoundError: naming the nearest existing configs, where there is no such file.
    """
    for known in dict.fromkeys((name, present_config(name))):
        for root in (Path(), folder, folder.parent):
            for suffix in ("", ".yaml", ".yml"):
                path = root / (known + suffix)
                if path.is_file():
                    return path
    wanted = name.removeprefix("experiments/").removesuffix(".yaml").removesuffix(".yml")
    nearest = difflib.get_close_matches(wanted, packaged_configs(folder), n=3, cutoff=0.0)
    hint = f"the nearest existing configs are {', '.join(nearest)}" if nearest else "no packaged config exists"
    raise ConfigNotFoundError(
        f"There is no config {name!r}, neither in the working directory nor in the packaged experiments: {hint}."
    )


def resolve_configs(arguments: Sequence[str], folder: Path = PACKAGED) -> list[str]:
    """Replace the value of every `--config` argument by the path of its file, and an older option by the present one.

    Args:
        arguments: the command line without the program's name.
        folder: the packaged experiments.

    Returns:
        The command line with `--config X` and `--config=X` pointing at existing files.

    Raises:
        ConfigNotFoundError: where a name stands for no file.
    """
    resolved: list[str] = []
    expects_name = False
    for argument in arguments:
        option, equals, value = argument.partition("=")
        if expects_name and not argument.startswith("-"):
            resolved.append(str(find_config(argument, folder)))
        elif option in _OPTIONS and equals:
            resolved.append(f"{option}={find_config(value, folder)}")
        else:
            resolved.append(present_option(argument))
        expects_name = argument in _OPTIONS
    return resolved


def shown_name(path: str) -> str:
    """Return the name by which `--config` takes a packaged file; any other path unchanged."""
    file = Path(path)
    if file.is_absolute() and file.is_relative_to(PACKAGED):
        return file.relative_to(PACKAGED).with_suffix("").as_posix()
    return path


def source_checkpoint(task: str, given: str | None) -> str:
    """Return the checkpoint that a table starts from: the one given, or the shipped one of a task.

    Raises:
        UsageError: where there is no such task.
        MissingFileError: where there is no such checkpoint.
    """
    tasks = [name.partition("/")[2] for name in packaged_configs() if name.startswith("tasks/")]
    if task not in tasks:
        raise UsageError(
            f"There is no task {task!r}: the nearest one is {nearest_name(task, tasks)!r}, of {', '.join(tasks)}."
        )
    path = Path(given) if given else PACKAGED / "hir_align" / "checkpoints" / f"{task}.ckpt"
    if not path.is_file():
        where = "does not exist" if given else f"is not shipped for the task {task}"
        raise MissingFileError(f"The checkpoint {path.name if not given else path} {where}: give one by --source.")
    return str(path)
