"""Finds the class a configuration names, and the names it could have meant."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import get_args, get_origin

from jsonargparse import ArgumentParser

HOUSE = ("lightning_modules", "datamodules", "callbacks")
"""The packages whose classes can be called by their short names."""

_PLAIN = (str, int, float, bool, bytes, list, tuple, dict, set, type(None))


def find_class(name: str, bases: Sequence[type]) -> Callable[..., object] | None:
    """Return the class or function called `name`.

    Args:
        name: a dotted import path, or the bare name of a subclass of one of `bases`.
        bases: the classes expected at this place.

    Returns:
        What `name` stands for, or None where it stands for nothing.
    """
    if "." not in name:
        return next((found for found in _subclasses(bases) if found.__name__ == name), None)
    module, _, last = name.rpartition(".")
    try:
        target = getattr(importlib.import_module(module), last, None)
    except ImportError:
        return None
    return target if callable(target) else None


def takes(name: str, key: str) -> bool:
    """Tell whether a class takes an argument; also True where the class cannot be found or its arguments are open."""
    found = find_class(name, ()) if "." in name else _in_this_house(name)
    if not inspect.isclass(found):
        return True
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(found, fail_untyped=False)
    return any(action.dest.partition(".")[0] == key for action in parser._actions)


def _in_this_house(name: str) -> object:
    """What the packages of this house, or of a test, call by a bare name."""
    for package in HOUSE:
        if found := getattr(importlib.import_module(package), name, None):
            return found
    return None


def possible_names(name: str, bases: Sequence[type]) -> list[str]:
    """Return the names that a wrong `name` could have meant, written the way it is: short, or with their module."""
    short = [found.__name__ for found in _subclasses(bases)]
    if "." not in name:
        return short
    module = name.rpartition(".")[0]
    try:
        members = vars(importlib.import_module(module))
    except ImportError:
        packages = {found.__name__: found.__module__.split(".")[0] for found in _subclasses(bases)}
        return [f"{package}.{found}" for found, package in packages.items()]
    exported = {*members.get("__all__", ()), *(key for key, member in members.items() if inspect.isclass(member))}
    return [f"{module}.{key}" for key in exported]


def leaves(hint: object) -> list[object]:
    """Return the types inside a union, an optional, a list, or what a callable returns."""
    arguments = get_args(hint)
    if not arguments:
        return [hint]
    if get_origin(hint) is Callable:
        return leaves(arguments[-1])
    return [leaf for argument in arguments for leaf in leaves(argument)]


def classes_in(hint: object) -> list[type]:
    """Return the classes of objects, not of plain values, that the type `hint` allows."""
    return [leaf for leaf in leaves(hint) if inspect.isclass(leaf) and not issubclass(leaf, _PLAIN)]


def is_of_this_house(found: type) -> bool:
    """Tell whether a class can be built as it stands and belongs neither to torch nor to lightning."""
    return not inspect.isabstract(found) and found.__module__.split(".")[0] not in {"torch", "lightning", "collections"}


def _subclasses(bases: Iterable[type]) -> Iterator[type]:
    """`bases` and everything derived from them that has been imported and can be built."""
    for base in bases:
        if not inspect.isabstract(base) and not base.__name__.startswith("_"):
            yield base
        yield from _subclasses(type.__subclasses__(base))
