"""Sweeps of Weights & Biases as files, and the commands that its agent makes of them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from experiments.configuration.errors import ConfigError
from experiments.configuration.files import PACKAGED
from experiments.configuration.names import nearest_name
from hyperalign.errors import UsageError

SWEEPS = PACKAGED / "sweeps"
ARGUMENTS = "${args}"
"""Where the agent puts what a run is to try, as `--KEY=VALUE`."""


@dataclass(frozen=True)
class Sweep:
    """A sweep.

    Attributes:
        name: of its file.
        metric: what is optimised, as it is logged.
        command: the agent's template.
        parameters: key -> the values that are tried; of a distribution its least and its largest one.
        grid: whether every combination is tried.
    """

    name: str
    metric: str
    command: tuple[str, ...]
    parameters: Mapping[str, Sequence[Any]]
    grid: bool

    def combinations(self) -> list[dict[str, Any]]:
        """Return every combination of the parameters' values, the last parameter changing fastest."""
        return [dict(zip(self.parameters, one, strict=True)) for one in itertools.product(*self.parameters.values())]

    def line(self, values: Mapping[str, Any]) -> list[str]:
        """Return the command that an agent makes of one combination."""
        given = [f"--{key}={value}" for key, value in values.items()]
        return [word for part in self.command for word in (given if part == ARGUMENTS else [part])]


def sweep_names(folder: Path = SWEEPS) -> list[str]:
    """Return the names of the packaged sweeps."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def read_sweep(name: str, folder: Path = SWEEPS) -> Sweep:
    """Read a sweep.

    Args:
        name: of a packaged one, or the path of a file.
        folder: of the packaged ones.

    Raises:
        UsageError: where there is no such sweep, naming the nearest one.
        ConfigError: where it has no command or no parameters.
    """
    packaged = folder / f"{name.removesuffix('.yaml')}.yaml"
    path = packaged if packaged.is_file() else Path(name)
    if not path.is_file():
        names = sweep_names(folder)
        raise UsageError(f"There is no sweep {name!r}: the nearest one is {nearest_name(name, names)!r}.")
    content = _content(path)
    for key in ("command", "parameters", "metric"):
        if not content.get(key):
            raise ConfigError(f"The sweep {path.stem} has no {key}: an agent needs it.")
    metric, command, parameters = content["metric"], content["command"], content["parameters"]
    if not (isinstance(metric, Mapping) and metric.get("name") and isinstance(command, list)):
        raise ConfigError(f"The sweep {path.stem} needs a metric with a name and a command that is a list of words.")
    if not isinstance(parameters, Mapping) or not all(isinstance(one, Mapping) for one in parameters.values()):
        raise ConfigError(f"The parameters of the sweep {path.stem} are no mapping of names to values, min and max.")
    return Sweep(
        path.stem,
        str(metric["name"]),
        tuple(str(word) for word in command),
        {key: _values(path.stem, key, one) for key, one in parameters.items()},
        content.get("method") == "grid",
    )


def _content(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"The sweep {path} is no YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(content, Mapping):
        raise ConfigError(f"The sweep {path} is no mapping: it needs command, parameters and metric.")
    return content


def _values(sweep: str, key: str, parameter: Mapping[str, Any]) -> list[Any]:
    if "values" in parameter:
        return list(parameter["values"])
    if "value" in parameter:
        return [parameter["value"]]
    if {"min", "max"} <= set(parameter):
        return [parameter["min"], parameter["max"]]
    raise ConfigError(f"The parameter {key} of the sweep {sweep} has neither values nor a least and a largest one.")
