"""Answers a wrong configuration in one sentence that names the key and the nearest valid one.

The parser reports a misspelt key as a nested trace of every union it tried. Once it has refused a configuration, the
settings are therefore walked again beside the signatures they are meant for, and the first key or class that does not
exist is named. Nothing here runs on a valid configuration.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import yaml
from jsonargparse import ArgumentParser

from experiments.configuration.classes import (
    classes_in,
    find_class,
    is_of_this_house,
    leaves,
    possible_names,
)
from experiments.configuration.names import nearest_name
from experiments.configuration.tree import CLASS_KEYS, COMMAND_LINE, ConfigTree, read_tree
from hyperalign.errors import HyperalignError

UNION = "Does not validate against any of the Union subtypes"
"""With which the parser begins what it says about every type that a value might have been."""

_STRUCTURE = re.compile(r"^(Does not validate|Subtypes:|Errors:|Problem with given class_path|Expected a path but)")
_REQUIRED = re.compile(r"^the following arguments are required: (.+)$")
_COMMAND = re.compile(r"^(?:fit|validate|test|predict|adapt)\.")
_GIVEN = re.compile(r"^ *Given value: (.+)$", re.MULTILINE)
_WRONG_KIND = re.compile(r"^Import path (\S+) does not correspond to a subclass of (\w+), got \{.*\}$")
_CHOICES = re.compile(r"typing\.Literal\[([^\]]*)\]")
_PARSER_KEY = re.compile(r'^Parser key "([^"]+)":?\s*(.*)$')


class ConfigError(HyperalignError, ValueError):
    """A configuration that cannot be used; the message is one sentence naming the key and what to do."""

    exit_code = 2


@dataclass(frozen=True)
class Finding:
    """Something wrong at the dotted `path` of the settings, and what to do about it."""

    path: str
    problem: str
    advice: str


def explain(
    message: str,
    arguments: Sequence[str],
    commands: Mapping[str, ArgumentParser],
    sections: Collection[str] | None = None,
) -> str:
    """Return one sentence for a refused command line.

    Args:
        message: what the parser said.
        arguments: the command line, `--config` values being paths.
        commands: the parser of each command.
        sections: the sections of a file that the command reads; None reads all.

    Returns:
        A sentence naming the first unknown command, key or class with the nearest valid one and where it was given;
        where every name exists, the innermost reason of `message` with its key.
    """
    positions = [index for index, argument in enumerate(arguments) if argument in commands]
    if not positions:
        command = next((argument for argument in arguments if not argument.startswith("-")), "")
        return f"There is no command {command!r}: the nearest one is {nearest_name(command, commands)!r}."
    try:
        tree = read_tree(arguments[positions[0] + 1 :])
    except yaml.MarkedYAMLError as error:
        return unreadable(error)
    if sections is not None:
        for key in [key for key in tree.settings if key not in sections and tree.origins.get(key) != COMMAND_LINE]:
            del tree.settings[key]
    finding = next(_walk_keys(commands[arguments[positions[0]]], tree.settings, "", ""), None)
    if finding is None:
        return innermost_reason(message)
    return located(tree, finding)


def located(tree: ConfigTree, finding: Finding) -> str:
    """Return the sentence about a finding, with the place where the setting was given."""
    return f"{finding.problem} ({_origin(tree, finding.path)}): {finding.advice}."


def unreadable(error: yaml.MarkedYAMLError) -> str:
    """Return the sentence about a file that is not YAML."""
    mark = error.problem_mark
    place = f"{mark.name}, line {mark.line + 1}, column {mark.column + 1}" if mark else "a config"
    return f"YAML cannot be read in {place}: {error.problem}."


def _origin(tree: ConfigTree, path: str) -> str:
    """Where the key at `path` was given; else the first key below it, else the nearest one above it."""
    below = [origin for key, origin in tree.origins.items() if key == path or key.startswith(path + ".")]
    if below:
        return below[0]
    keys = re.sub(r"\[\d+\]", "", path).split(".")
    above = (".".join(keys[:length]) for length in range(len(keys), 0, -1))
    return next((tree.origins[key] for key in above if key in tree.origins), COMMAND_LINE)


def _walk_keys(parser: ArgumentParser, settings: dict[str, object], inner: str, outer: str) -> Iterator[Finding]:
    """What is wrong in `settings`, whose keys are the parser's below the dotted prefix `inner`, lying at `outer`."""
    actions = {action.dest: action for action in parser._actions if not action.dest.endswith(".help")}
    for key, value in settings.items():
        full, path = f"{inner}{key}", f"{outer}{key}"
        below = [name for name in actions if name.startswith(full + ".")]
        if below and isinstance(value, dict):
            yield from _walk_keys(parser, value, full + ".", path + ".")
        elif full in actions:
            expected = getattr(actions[full], "_typehint", None)
            yield from _walk_value(value, expected, path, has_default=actions[full].default is not None)
        elif not below:
            siblings = {name[len(inner) :].split(".")[0] for name in actions if name.startswith(inner)}
            yield no_such_key(path, outer, key, siblings - {"help", "print_config", "print_shtab"})


def _walk_value(value: object, expected: object, path: str, *, has_default: bool) -> Iterator[Finding]:
    """What is wrong inside the value of a key that exists and expects the type `expected`."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk_value(item, expected, f"{path}[{index}]", has_default=False)
        return
    classes = classes_in(expected)
    if isinstance(value, str) and classes and str not in leaves(expected):
        if float in leaves(expected) and value.islower() and "." not in value:
            return  # no name of a class, where a number may be given as well
        value = {"class_path": value}
    if not isinstance(value, dict) or not (classes or "class_path" in value):
        return
    if "class_path" not in value:
        if not has_default and not (len(classes) == 1 and is_of_this_house(classes[0])):
            yield Finding(
                path, f"No class was given for {shown(path)!r}", "add its class_path, or the config that has it"
            )
        return
    name = str(value["class_path"])
    found = find_class(name, classes)
    if found is None:
        nearest = nearest_name(name, possible_names(name, classes))
        advice = f"the nearest valid class is {nearest!r}"
        yield Finding(path, f"There is no class {name!r} for {shown(path)!r}", advice)
        return
    for key in value:
        if key not in CLASS_KEYS:
            yield no_such_key(f"{path}.{key}", f"{path}.", key, CLASS_KEYS)
    if inspect.isclass(found):
        parser = ArgumentParser(exit_on_error=False)
        parser.add_class_arguments(found, fail_untyped=False)
        yield from _walk_keys(parser, value.get("init_args") or {}, "", f"{path}.init_args.")


def no_such_key(path: str, above: str, key: str, valid: Iterable[str]) -> Finding:
    """Return the finding for a `key` that is not among the `valid` ones below the prefix `above`."""
    nearest = nearest_name(key, valid)
    advice = f"the nearest valid key is {shown(above) + nearest!r}" if nearest else "no key can be given here"
    return Finding(path, f"There is no key {shown(above) + key!r}", advice)


def shown(path: str) -> str:
    """Return a path as it is written on the command line, where `init_args` may be left out."""
    return path.replace("init_args.", "")


def no_value(keys: Sequence[str]) -> str:
    """Return the sentence about keys that need a value and have none."""
    if len(keys) == 1:
        return f"No value was given for {keys[0]!r}, which is required."
    return f"No value was given for {', '.join(map(repr, keys[:-1]))} and {keys[-1]!r}, which are required."


def innermost_reason(message: str) -> str:
    """Return the first real reason in a parser's nested message, with the full key in front of it, as one sentence."""
    keys: list[str] = []
    for raw in message.splitlines():
        line = raw.strip().removeprefix("- ")
        match = _PARSER_KEY.match(line)
        if match:
            keys.append(match.group(1))
            line = match.group(2)
        if line and not _STRUCTURE.match(line):
            return _as_sentence(".".join(keys), line, message)
    return " ".join(message.split())


def _as_sentence(key: str, reason: str, message: str) -> str:
    """The parser's `reason` about `key` in plain words, with the refused value where the parser tells it."""
    missing = _REQUIRED.match(reason)
    if missing:
        names = [_COMMAND.sub("", name) for name in missing.group(1).split(", ")]
        return no_value([f"{key}.{name}" if key else name for name in names])
    reason = re.sub(r"<class '([^']+)'>", r"\1", reason).rstrip(".").replace(". Got value: ", ", got ")
    listed = ",".join(_CHOICES.findall("\n".join(re.findall("Expected a .*", message))))
    if choices := [one.strip() for one in listed.split(",") if one]:
        allowed = ", ".join(dict.fromkeys(one.strip("'\"") for one in choices))
        reason = _CHOICES.sub(lambda _: f"one of {allowed}", reason).replace("Expected a one", "expected one")
    reason = re.sub(r"Expected (?:a )?(?:collections\.abc\.Sequence|list)\b", "expected type list", reason)
    reason = reason.replace("Expected a ", "expected type ")
    given = _GIVEN.search(message)
    if given and ", got " not in reason and not re.match("Namespace|NestedArg", given.group(1)):
        reason += f", got {given.group(1)[:60]}"
    if number := re.fullmatch(r"expected type str, got (-?[\d.]+)", reason):
        reason = f"{reason}: put a name that is a number in quotes, as in '[\"{number.group(1)}\"]'"
    reason = _WRONG_KIND.sub(r"Import path does not correspond to a subclass of \2, got \1", reason)
    return f"{key!r}: {reason}." if key else f"{reason}."
