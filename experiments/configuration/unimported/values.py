"""Values that the type of their argument refuses, where that type is plainly written in a signature."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser

from experiments.configuration.errors import innermost_reason, shown
from experiments.configuration.unimported.commands import KINDS, Command
from experiments.configuration.unimported.hints import Hint, hint_of
from experiments.configuration.unimported.modules import UncertainError
from experiments.configuration.unimported.settings import Words, offered
from experiments.configuration.unimported.signatures import Parameter, class_of, parameters

_NOTHING = {"", "null", "~", "None"}
"""Texts of which the parser alone knows whether they stand for a default."""


def refused(command: Command, settings: Mapping[str, object]) -> str | None:
    """Return the sentence about the first value that its type refuses, as the parser words it; None where all may do.

    Whatever is not certain passes: classes and what they are given by code, types that are not plain, files that the
    parser would read, nothing at all.

    Args:
        command: its keys.
        settings: the tree of a command line, the texts of its options being `Words`.
    """
    for path, value, hint in _given(command, settings):
        if not _plain(value, hint):
            continue
        parser = ArgumentParser(exit_on_error=False)
        parser.add_argument("--value", type=hint.type)
        try:
            if isinstance(value, Words):
                parser.parse_args([f"--value={value.text}"])
            else:
                parser.parse_object({"value": value})
        except (ArgumentError, TypeError) as error:
            reason = innermost_reason(str(error))
            if reason.startswith("'value': "):
                return f"{shown(path)!r}{reason.removeprefix(repr('value'))}"
    return None


def _given(command: Command, settings: Mapping[str, object]) -> Iterator[tuple[str, object, Hint]]:
    """Every value that is given, with what its place allows."""
    methods = {one.name: one for one in command.method}
    for key, value in settings.items():
        if key == "seed_everything":
            yield key, value, Hint([bool, int])
        elif key in ("trainer", "writer") and isinstance(value, dict):
            yield from _arguments(command.trainer if key == "trainer" else command.writer, value, f"{key}.")
        elif key in KINDS:
            yield from _object(value, 0, key)
        elif key in methods:
            yield key, value, hint_of(methods[key].annotation, methods[key].module)


def _arguments(
    taken: Sequence[Parameter], given: Mapping[str, object], above: str
) -> Iterator[tuple[str, object, Hint]]:
    by_name = {one.name: one for one in taken}
    for key, value in given.items():
        if key in by_name:
            hint = hint_of(by_name[key].annotation, by_name[key].module)
            yield above + key, value, hint
            if hint.classes:
                yield from _object(value, hint.skipped, above + key)


def _object(value: object, skipped: int, path: str) -> Iterator[tuple[str, object, Hint]]:
    """The values inside a class that is named; nothing where it cannot be read."""
    if not isinstance(value, dict) or not isinstance(inner := value.get("init_args"), dict):
        return
    name = value.get("class_path")
    try:
        found = class_of(offered(str(name.text if isinstance(name, Words) else name)), path)
        taken = parameters(found)[skipped:]
    except UncertainError:
        return
    yield from _arguments(taken, inner, f"{path}.init_args.")


def _plain(value: object, hint: Hint) -> bool:
    """Whether a value can be judged by the plain types of its place alone."""
    if hint.classes or not hint.certain or not hint.plain or Any in hint.plain:
        return False
    text = value.text if isinstance(value, Words) else value
    if isinstance(text, str):
        return text.strip() not in _NOTHING and not _names_a_file(text)
    if isinstance(text, list):
        return all(isinstance(one, str | int | float) for one in text)
    return isinstance(text, bool | int | float)


def _names_a_file(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):
        return False
