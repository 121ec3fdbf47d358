"""Reads settings beside the sources: the first key that does not exist, and the whole configuration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jsonargparse import ArgumentError, ArgumentParser

from experiments.configuration.classes import HOUSE
from experiments.configuration.errors import Finding, no_such_key, shown
from experiments.configuration.tree import CLASS_KEYS
from experiments.configuration.unimported.commands import CHANGED, KINDS, Command, default_of, plain
from experiments.configuration.unimported.hints import Hint, hint_of
from experiments.configuration.unimported.modules import Definition, UncertainError, find, find_module, member
from experiments.configuration.unimported.signatures import Parameter, ancestry, class_of, is_kind, parameters

_OF_LIGHTNING = ("lightning.pytorch.callbacks", "lightning.pytorch.loggers")
"""Whose classes are called by their bare names as well."""


@dataclass(frozen=True)
class Words:
    """The text of an option, which is read by the type of what it is given for."""

    text: str


def offered(name: str) -> Definition | None:
    """Return the class that a configuration calls `name`: dotted, or the bare name of a class of this house."""
    if "." in name:
        return find(name)
    for package in (*HOUSE, *_OF_LIGHTNING):
        module = find_module(package)
        if module is not None and (found := member(module, name)) is not None:
            return found
    raise UncertainError(name)


def findings(command: Command, settings: dict[str, object]) -> Iterator[Finding]:
    """Yield the keys that do not exist, in the order of the settings.

    Raises:
        UncertainError: at the first setting that the sources do not tell about.
    """
    for key, value in settings.items():
        if key == "trainer" and isinstance(value, dict):
            yield from _keys(command.trainer, value, "trainer.", "trainer.")
        elif key == "writer" and isinstance(value, dict) and command.writer:
            yield from _keys(command.writer, value, "writer.", "writer.")
        elif key in KINDS:
            yield from _value(value, Hint(classes=[_named(KINDS[key])]), key)
        elif key not in command.keys:
            yield no_such_key(key, "", key, {*command.keys, "config"})


def _keys(taken: Sequence[Parameter], settings: dict[str, object], path: str, above: str) -> Iterator[Finding]:
    by_name = {one.name: one for one in taken}
    for key, value in settings.items():
        if key not in by_name:
            yield no_such_key(path + key, above, key, by_name)
        else:
            yield from _value(value, hint_of(by_name[key].annotation, by_name[key].module), path + key)


def _value(value: object, hint: Hint, path: str) -> Iterator[Finding]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _value(item, hint, f"{path}[{index}]")
        return
    if not isinstance(value, dict):
        return
    name = value.get("class_path")
    if name is None:
        if not hint.classes:
            return
        if path in KINDS:
            yield Finding(path, f"No class was given for {path!r}", "add its class_path, or the config that has it")
        raise UncertainError(path)
    found = class_of(offered(str(name)), str(name))
    for key in value:
        if key not in CLASS_KEYS:
            yield no_such_key(f"{path}.{key}", f"{path}.", key, CLASS_KEYS)
    inner = value.get("init_args") or {}
    if not isinstance(inner, dict):
        raise UncertainError(path)
    yield from _keys(
        parameters(found)[hint.skipped :] if hint.skipped else parameters(found),
        inner,
        f"{path}.init_args.",
        f"{path}.init_args.",
    )


def completed(command: Command, settings: dict[str, object]) -> dict[str, object]:
    """Return the whole configuration that settings without mistakes make, with every default.

    Raises:
        UncertainError: where the sources do not tell it, a mistake in a value among it.
    """
    whole: dict[str, object] = {"seed_everything": _checked(settings.get("seed_everything", 0), bool | int)}
    trainer = settings.get("trainer", {})
    whole["trainer"] = _arguments(command.trainer, trainer)
    for key, kind in KINDS.items():
        if settings.get(key) is None:
            if key in ("data", "model"):
                raise UncertainError(key)
            whole[key] = None
        else:
            whole[key] = _object(settings[key], [_named(kind)], 0)
    if any(key in settings for key in ("output", "resume", "writer")):
        raise UncertainError("writer")
    given = {key: value for key, value in settings.items() if key not in whole}
    whole |= _arguments(command.method, given)
    if command.writer:
        written = _arguments([one for one in command.writer if one.name not in ("folder", "resume")], {})
        whole |= {"writer": written, "output": None, "resume": False}
    return whole


def _named(name: str) -> Definition:
    return class_of(find(name), name)


def _arguments(taken: Sequence[Parameter], given: object) -> dict[str, object]:
    if not isinstance(given, dict) or set(given) - {one.name for one in taken}:
        raise UncertainError(str(given))
    whole: dict[str, object] = {}
    for one in taken:
        if one.name in given:
            whole[one.name] = _argument(given[one.name], hint_of(one.annotation, one.module))
        else:
            whole[one.name] = CHANGED[one.name] if one.name in CHANGED else _default(one)
    return whole


def _default(parameter: Parameter) -> object:
    value = default_of(parameter)
    kinds = hint_of(parameter.annotation, parameter.module).plain
    return float(value) if type(value) is int and float in kinds and int not in kinds else value


def _argument(value: object, hint: Hint) -> object:
    text = value.text if isinstance(value, Words) else value
    if isinstance(value, list) and hint.classes:
        return [_object(one, hint.classes, hint.skipped) for one in value]
    names_class = isinstance(text, str) and str not in hint.plain and text != "null"
    if hint.classes and (names_class or isinstance(text, dict)):
        return _object(text, hint.classes, hint.skipped)
    return _checked(value, hint.type)


def _object(value: object, kinds: Sequence[Definition], skipped: int) -> dict[str, object]:
    if isinstance(value, Words):
        value = value.text
    if isinstance(value, str):
        value = {"class_path": value}
    if not isinstance(value, dict) or "class_path" not in value or set(value) - {"class_path", "init_args"}:
        raise UncertainError(str(value))
    name = str(value["class_path"].text if isinstance(value["class_path"], Words) else value["class_path"])
    found = class_of(offered(name), name)
    if not is_kind(found, [one.name for one in kinds]):
        raise UncertainError(name)
    whole: dict[str, object] = {"class_path": _canonical(name, found)}
    if arguments := _arguments(parameters(found)[skipped:], value.get("init_args") or {}):
        whole["init_args"] = arguments
    return whole


def _canonical(name: str, found: Definition) -> str:
    """The shortest name of a class, as the parser writes it."""
    last = found.name.rpartition(".")[2]
    parts = found.module.name.split(".")
    if parts[0] == "torch" and "." in name:
        return name
    for length in range(3 if parts[0] == "lightning" else 1, len(parts) + 1):
        module = find_module(".".join(parts[:length]))
        if module is not None and member(module, last) == found:
            return f"{module.name}.{last}"
    raise UncertainError(name)


def _checked(value: object, kind: object) -> object:
    """A plain value as the parser reads it for a type.

    Raises:
        UncertainError: where it refuses it.
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--value", type=kind)
    try:
        if isinstance(value, Words):
            return plain(parser.parse_args([f"--value={value.text}"]).value)
        return plain(parser.parse_object({"value": value}).value)
    except (ArgumentError, TypeError) as error:
        raise UncertainError(shown(str(value))) from error


__all__ = ["Words", "ancestry", "completed", "findings", "offered"]
