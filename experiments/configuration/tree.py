"""What a user gave on the command line and in YAML, merged into one tree that remembers where each key came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

CLASS_KEYS = ("class_path", "init_args", "dict_kwargs")
COMMAND_LINE = "on the command line"


@dataclass
class ConfigTree:
    """Nested settings as given, later ones over earlier ones.

    Attributes:
        settings: The merged tree of mappings, lists and plain values.
        origins: For every dotted key, where it was last given: `in FILE` or `on the command line`.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)

    def merge(self, update: dict[str, Any], origin: str) -> None:
        """Lays the mapping of one config file over the tree."""
        self._merge(self.settings, update, "", origin)

    def _merge(self, tree: dict[str, Any], update: dict[str, Any], prefix: str, origin: str) -> None:
        for given, value in update.items():
            key = str(given).removesuffix("+")
            path = f"{prefix}{key}"
            self.origins[path] = origin
            if isinstance(value, dict):
                present = _as_class(tree.get(key))
                tree[key] = present if isinstance(present, dict) else {}
                _forget_other_class(tree[key], value.get("class_path"))
                self._merge(tree[key], value, path + ".", origin)
            elif str(given).endswith("+") and isinstance(tree.get(key), list):
                tree[key] = tree[key] + (value if isinstance(value, list) else [value])
            else:
                tree[key] = value

    def assign(self, key: str, value: object) -> None:
        """Sets one dotted key of the command line, descending into `init_args` and the last item of a list."""
        append = key.endswith("+")
        *parents, last = key.removesuffix("+").split(".")
        tree: dict[str, Any] = self.settings
        path: list[str] = []
        for parent in parents:
            tree, path = _descend(tree, path, parent)
        if "class_path" in tree and last not in CLASS_KEYS:
            tree, path = tree.setdefault("init_args", {}), [*path, "init_args"]
        if append:
            present = tree.get(last)
            tree[last] = (present if isinstance(present, list) else []) + [value]
        elif isinstance(tree.get(last), dict) and isinstance(value, str):
            _forget_other_class(tree[last], value)
            tree[last]["class_path"] = value
        else:
            tree[last] = value
        self.origins[".".join([*path, last])] = COMMAND_LINE


def _as_class(value: object) -> object:
    """A bare class name as the mapping it is short for; anything else unchanged."""
    return {"class_path": value} if isinstance(value, str) else value


def _forget_other_class(tree: dict[str, Any], name: object) -> None:
    """Drops the settings of another class: the parser, too, drops those that the newly named class does not have."""
    present = tree.get("class_path")
    if isinstance(name, str) and isinstance(present, str) and name.rpartition(".")[2] != present.rpartition(".")[2]:
        tree.pop("init_args", None)


def _descend(tree: dict[str, Any], path: list[str], key: str) -> tuple[dict[str, Any], list[str]]:
    """The mapping that `key` leads to from `tree`, made where there is none, and its path."""
    if "class_path" in tree and key not in CLASS_KEYS:
        tree, path = tree.setdefault("init_args", {}), [*path, "init_args"]
    value = tree.get(key)
    if isinstance(value, list) and value:
        value[-1] = _as_class(value[-1])
        if isinstance(value[-1], dict):
            return value[-1], [*path, f"{key}[{len(value) - 1}]"]
    inner = _as_class(value)
    tree[key] = inner if isinstance(inner, dict) else {}
    return tree[key], [*path, key]


def read_tree(arguments: Sequence[str]) -> ConfigTree:
    """Merges the config files and options that follow a command's name.

    Args:
        arguments: The command line after the command, `--config` values being paths of files.

    Returns:
        The tree, as far as it can be read: what is no mapping and no option is left to the parser.

    Raises:
        yaml.YAMLError: Where a file is not YAML; its `problem_mark.name` is the file.
    """
    tree = ConfigTree()
    waiting = list(arguments)
    while waiting:
        option, equals, text = waiting.pop(0).partition("=")
        if not option.startswith("-"):
            continue
        if not equals and waiting and not waiting[0].startswith("--"):
            text = waiting.pop(0)
        if option in {"-c", "--config"}:
            with Path(text).open(encoding="utf-8") as stream:
                content = yaml.safe_load(stream)
            if isinstance(content, dict):
                tree.merge(content, f"in {text}")
        elif option.startswith("--"):
            tree.assign(option[2:], _parsed(text))
    return tree


def _parsed(text: str) -> object:
    """The value of an option as YAML reads it, or the text itself."""
    try:
        value: object = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    return value
