"""A checkpoint's plain-value description of its network, and the network built again from it.

A description is what a YAML config says of a class: `class_path` and `init_args`. Names in a checkpoint import nothing
but this project: a class of a user's own is found where the user has imported it already, or was told to be trusted.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import nn

from lightning_modules.checkpoints.content import CheckpointError
from lightning_modules.networks.arguments import arguments_of

__all__ = ["build", "check_importable", "class_path", "described", "described_network", "of_any_machine"]

HOUSE = "lightning_modules"
KEYS = {"class_path", "init_args"}
OF_A_MACHINE = {"backend", "scan_backend"}
"""Arguments of this project's networks that suit the machine of a run: elsewhere each is chosen again."""


class _UnknownError(Exception):
    """A value that cannot be described by plain ones."""


def class_path(kind: type) -> str:
    """Return the name a class is imported by: the short one of this project's face where it has one."""
    if kind.__module__.split(".")[0] == HOUSE and getattr(sys.modules.get(HOUSE), kind.__name__, None) is kind:
        return f"{HOUSE}.{kind.__name__}"
    return f"{kind.__module__}.{kind.__qualname__}"


def described_network(network: nn.Module) -> dict[str, Any]:
    """Describe a network: `class_path`, and `init_args` where the arguments it was built with are known and plain.

    A network says by its attribute `state_arguments` which of its arguments arrive with the weights anyway.
    """
    arguments = arguments_of(network)
    description: dict[str, Any] = {"class_path": class_path(type(network))}
    if arguments is None:
        return description
    within: Sequence[str] = getattr(network, "state_arguments", ())
    with suppress(_UnknownError):
        description["init_args"] = {name: _plain(value) for name, value in arguments.items() if name not in within}
    return description


def described(kind: type, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Describe any other object by its class and the plain arguments that build it."""
    return {"class_path": class_path(kind), "init_args": dict(arguments)}


def _plain(value: object) -> Any:  # noqa: ANN401 - what YAML knows
    if isinstance(value, bool | int | float | str | None):
        return value
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, nn.Module):
        inner = described_network(value)
        if "init_args" not in inner:
            raise _UnknownError
        return inner
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value) and not KEYS & set(value):
        return {str(key): _plain(one) for key, one in value.items()}
    raise _UnknownError


def build(description: object, origin: str, trust: Sequence[str] = ()) -> Any:  # noqa: ANN401 - of the class described
    """Build what a checkpoint describes; weights come afterwards, and what suits a machine is chosen on this one.

    Args:
        description: `class_path` and `init_args`, which may hold further descriptions.
        origin: the checkpoint, for the sentence.
        trust: packages whose classes may be imported beside this project's own.

    Raises:
        CheckpointError: when a class is not of this project and not imported, or cannot be built in this way.
    """
    if not isinstance(description, Mapping):
        raise CheckpointError(f"Checkpoint {origin} describes no network: give the network itself, or its config.")
    kind = _found(description.get("class_path"), origin, trust)
    arguments = description.get("init_args")
    if arguments is None:
        raise CheckpointError(
            f"Checkpoint {origin} does not say with which arguments its {kind.__name__} was built: give the network "
            "itself, or its config."
        )
    if not isinstance(arguments, Mapping) or not all(isinstance(name, str) for name in arguments):
        raise CheckpointError(f"Checkpoint {origin} describes its {kind.__name__} in no readable way: give its config.")
    machine = OF_A_MACHINE if kind.__module__.split(".")[0] == HOUSE else set()
    given = {name: _built(value, origin, trust) for name, value in arguments.items() if name not in machine}
    try:
        inspect.signature(kind).bind(**given)
        return kind(**given)
    except (TypeError, ValueError, KeyError, IndexError, RuntimeError) as error:
        raise CheckpointError(
            f"The {kind.__name__} that checkpoint {origin} describes cannot be built ({_first_line(error)}): give the "
            "network itself, or its config."
        ) from error


def of_any_machine(description: Any) -> Any:  # noqa: ANN401 - what YAML knows
    """Return a description without the arguments of this project's networks that suit the machine of a run."""
    if isinstance(description, list):
        return [of_any_machine(one) for one in description]
    if not isinstance(description, Mapping):
        return description
    kept = {name: of_any_machine(value) for name, value in description.items()}
    if str(kept.get("class_path", "")).split(".")[0] == HOUSE and isinstance(kept.get("init_args"), Mapping):
        kept["init_args"] = {name: value for name, value in kept["init_args"].items() if name not in OF_A_MACHINE}
    return kept


def check_importable(description: object, origin: str, trust: Sequence[str] = ()) -> None:
    """Refuse a description that names a class which a checkpoint must not have imported, building nothing.

    Raises:
        CheckpointError: naming the class.
    """
    if isinstance(description, Mapping):
        if "class_path" in description:
            _found(description["class_path"], origin, trust)
        for value in description.values():
            check_importable(value, origin, trust)
    elif isinstance(description, list | tuple):
        for value in description:
            check_importable(value, origin, trust)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _built(value: object, origin: str, trust: Sequence[str]) -> Any:  # noqa: ANN401
    if isinstance(value, Mapping):
        if "class_path" in value:
            return build(value, origin, trust)
        return {name: _built(one, origin, trust) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_built(one, origin, trust) for one in value]
    return value


def _found(name: object, origin: str, trust: Sequence[str]) -> type:
    """Return the class of a name without running anybody's code.

    Raises:
        CheckpointError: when it names no class, or one that must not be imported.
    """
    parts = name.split(".") if isinstance(name, str) else []
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        raise CheckpointError(f"Checkpoint {origin} names no class of its network ({str(name)[:60]}): give its config.")
    module, package, last = ".".join(parts[:-1]), parts[0], parts[-1]
    if package == HOUSE or package in trust:
        try:
            kind = getattr(importlib.import_module(module), last, None)
        except ImportError as error:
            raise CheckpointError(
                f"Checkpoint {origin} was made by {name}, which cannot be imported ({_first_line(error)}): install it, "
                "or give the network's config."
            ) from error
    else:
        # What is loaded already was imported by the user, not by the checkpoint; looked up without running anything.
        kind = vars(sys.modules[module]).get(last) if module in sys.modules else None
    if not inspect.isclass(kind) or not _is_safe(kind, package):
        raise CheckpointError(
            f"Checkpoint {origin} was made by {name}, which is no network of this project, and a checkpoint imports no "
            "code: import its module first, or give the network's config."
        )
    return kind


def _is_safe(kind: type, package: str) -> bool:
    """Whether a class is a network, or a helper that this project's own modules are built with."""
    if kind.__module__.split(".")[0] != package:
        return False
    if issubclass(kind, nn.Module):
        return not issubclass(kind, torch.jit.ScriptModule)
    return package == HOUSE and kind.__name__ in ("ClipTowers", "MetricProtocol", "SentenceTowers")
