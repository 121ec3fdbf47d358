"""What a user gave in YAML and on the command line, merged into one tree that remembers where each key came from.

The files are merged first, in their order, then the options: a file may speak of the settings of a class that only a
later file names, and an option wins over every file wherever it stands.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from experiments.configuration.classes import takes
from experiments.configuration.files import shown_name
from experiments.configuration.names import present_settings

CLASS_KEYS = ("class_path", "init_args", "dict_kwargs")
COMMAND_LINE = "on the command line"
CONFIG_OPTIONS = ("--config", "-c")

_CLASS_NAME = re.compile(r"^[A-Za-z_][\w.]*$")
_FLOAT = re.compile(
    r"^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+"
    r"|\.[0-9_]+(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)


class _Loader(yaml.SafeLoader):
    """Reads `1e-4` as a number and leaves dates as text, as the command line's parser does."""


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, found) for tag, found in pairs if not tag.endswith((":float", ":timestamp"))]
    for letter, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))


@dataclass
class ConfigTree:
    """Nested settings as given, later ones over earlier ones.

    A class that takes another one's place takes none of the settings that were given together with the other one;
    settings of files that name no class belong to whatever class is named, before or after them, and takes them.

    Attributes:
        settings: the merged tree of mappings, lists and plain values.
        origins: for every dotted key, where it was last given: `in FILE` or `on the command line`.
        notices: a sentence for each class of a file that a later file replaced, and for each setting of a recipe that a
            backbone or a data set after it did.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    _owners: dict[str, str] = field(default_factory=dict)

    def merge(self, update: dict[str, Any], origin: str) -> None:
        """Lay the mapping of one config file over the tree."""
        self._merge(self.settings, update, "", origin)

    def _merge(self, tree: dict[str, Any], update: dict[str, Any], prefix: str, origin: str, owner: str = "") -> None:
        for given, value in update.items():
            key = str(given).removesuffix("+")
            path = f"{prefix}{key}"
            present, before = tree.get(key), self.origins.get(f"{path}.class_path", self.origins.get(path, ""))
            self.origins[path] = origin
            if prefix.endswith("init_args."):
                self._owners[path] = owner
            if isinstance(value, str) and _is_class(present):
                value = {"class_path": value}
            if isinstance(value, dict):
                if isinstance(present, str) and _is_class(value):
                    present = {"class_path": present}
                tree[key] = present if isinstance(present, dict) else {}
                named = value.get("class_path")
                self._replace_class(tree[key], named, path, (before, origin))
                inner = _last(named) if isinstance(named, str) else owner if key == "init_args" else ""
                self._merge(tree[key], value, path + ".", origin, inner)
            elif str(given).endswith("+") and isinstance(present, list):
                tree[key] = present + (value if isinstance(value, list) else [value])
            else:
                if key in tree and present != value and not isinstance(present, dict | list) and key != "class_path":
                    self._tell_of_a_setting(path, (before, present), (origin, value))
                tree[key] = value

    def _tell_of_a_setting(self, path: str, before: tuple[str, object], now: tuple[str, object]) -> None:
        """Say so where what recipes are laid over comes after one: a backbone's own rate is for training it anew."""
        (first, present), (last, value) = before, now
        if first.startswith("in ") and last.startswith("in ") and _is_laid_under(last) and not _is_laid_under(first):
            name = path.replace("init_args.", "")
            self.notices.append(
                f"{name} is {value} ({_said(last)}) and not {present} ({_said(first)}), because it comes later."
            )

    def _replace_class(self, tree: dict[str, Any], name: object, path: str, files: tuple[str, str]) -> None:
        """Drop what was given together with another class, and say so where a file had named it."""
        present = tree.get("class_path")
        if not isinstance(name, str) or not isinstance(present, str) or _last(name) == _last(present):
            return
        settings = tree.get("init_args")
        settings = settings if isinstance(settings, dict) else {}
        owned = [key for key in settings if self._owners.get(f"{path}.init_args.{key}") == _last(present)]
        gone = [key for key in settings if key in owned or not takes(name, key)]
        for key in gone:
            del settings[key]
        before, origin = files
        if before.startswith("in ") and origin not in (before, COMMAND_LINE):
            lost = f" and with it the settings {', '.join(gone)} given for it" if gone else ""
            self.notices.append(
                f"{_last(name)} ({_said(origin)}) takes the place of {_last(present)} ({_said(before)}) as "
                f"{path.replace('init_args.', '')}{lost}, because it comes later."
            )

    def choose(self, key: str, name: str, sections: Collection[str] = ()) -> bool:
        """Let an option choose a class that the files speak of, as a later file would.

        Args:
            key: dotted key of the command line, such as `data` or `model.network.class_path`.
            name: the value given to it.
            sections: sections that hold a class, whatever the files give as their value.

        Returns:
            Whether the files have settings for the class of this key, so that it was chosen here.
        """
        keys = [one for one in key.split(".") if one not in CLASS_KEYS]
        if not _CLASS_NAME.match(name) or not isinstance(parsed(name), str):
            return False
        update: dict[str, Any] = {}
        tree: Any = self.settings
        value, inner = None, update
        for depth, one in enumerate(keys):
            if depth:
                if not isinstance(value, dict):
                    return False
                between = "init_args" in value or "class_path" in value
                tree = value.get("init_args") if between else value
                inner = inner.setdefault("init_args", {}) if between else inner
            if not isinstance(tree, dict) or one not in tree:
                return False
            value, inner[one] = tree[one], {}
            inner = inner[one]
        if not _is_class(value) and not (key in sections and isinstance(value, str)):
            return False
        inner["class_path"] = name
        self.merge(update, COMMAND_LINE)
        return True

    def clear(self, key: str) -> bool:
        """Set what belongs to a class within a class to nothing; the parser reads `null` there as a text.

        Args:
            key: dotted key of the command line, such as `data.degradation.response`.

        Returns:
            Whether the files name that class, so that it was set here.
        """
        *parents, _ = _short(key).split(".")
        value: object = {"class_path": "", "init_args": self.settings}
        for parent in parents:
            if not _is_class(value) or not isinstance(value, dict):
                return False
            value = (value.get("init_args") or {}).get(parent)
        if len(parents) < 2 or not _is_class(value):
            return False
        self.assign(key, None)
        return True

    def assign(self, key: str, value: object) -> None:
        """Set one dotted key of the command line, descending into `init_args` and the last item of a list."""
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
            if _last(tree[last].get("class_path", value)) != _last(value):
                tree[last].pop("init_args", None)
            tree[last]["class_path"] = value
        else:
            tree[last] = value
        self.origins[".".join([*path, last])] = COMMAND_LINE


def _last(name: object) -> str:
    return str(name).rpartition(".")[2]


def _is_class(value: object) -> bool:
    """Whether a setting is a mapping that names a class or its arguments."""
    return isinstance(value, dict) and any(key in value for key in CLASS_KEYS)


def _said(origin: str) -> str:
    return f"in {shown_name(origin.removeprefix('in '))}"


def _is_laid_under(origin: str) -> bool:
    """Whether a file is of those that recipes are usually laid over: a network or a data set."""
    return shown_name(origin.removeprefix("in ")).split("/")[0] in ("backbones", "data")


def _as_class(value: object) -> object:
    """A bare class name as the mapping it is short for; anything else unchanged."""
    return {"class_path": value} if isinstance(value, str) else value


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


def options(arguments: Sequence[str]) -> Iterator[tuple[str, str | None, list[str]]]:
    """Yield option, value and words of everything on a command line; words that belong to no option have none."""
    waiting = list(arguments)
    while waiting:
        words = [waiting.pop(0)]
        option, equals, text = words[0].partition("=")
        if not option.startswith("-"):
            yield "", None, words
            continue
        value: str | None = text if equals else None
        if value is None and waiting and not waiting[0].startswith("--"):
            value = waiting.pop(0)
            words.append(value)
        yield option, value, words


def settings_last(arguments: Sequence[str]) -> list[tuple[str, str | None, list[str]]]:
    """Return the options with each class before the settings of it, and otherwise in their order.

    A class has fewer dots than what is set about it. Items appended to a list stay where they are among what is set
    about them, as settings belong to the item before them.

    Returns:
        Name without dashes, value and words of each option; words that belong to no option stay with the one before.
    """
    groups: list[tuple[str, str | None, list[str]]] = []
    for option, value, words in options(arguments):
        if option in CONFIG_OPTIONS:
            continue
        if option or not groups:
            groups.append((option.removeprefix("--"), value, words))
        else:
            groups[-1][2].extend(words)
    lists = {_short(name.removesuffix("+")) for name, _, _ in groups if name.endswith("+")}

    def depth(group: tuple[str, str | None, list[str]]) -> int:
        name = _short(group[0].removesuffix("+"))
        return min(one.count(".") for one in {name, *(item for item in lists if name.startswith(item + "."))})

    return sorted(groups, key=depth)


def _short(key: str) -> str:
    """A dotted key without what may be left out of it."""
    return ".".join(one for one in key.split(".") if one not in CLASS_KEYS)


def chosen(
    tree: ConfigTree, arguments: Sequence[str], sections: Collection[str] = ()
) -> list[tuple[str, str | None, list[str]]]:
    """Let the options choose the classes that the files have settings for.

    Returns:
        The other options, as `settings_last` gives them.
    """
    return [
        (name, value, words)
        for name, value, words in settings_last(arguments)
        if value is None or len(words) > 2 or not tree.choose(name, value, sections)
    ]


def read_files(arguments: Sequence[str]) -> ConfigTree:
    """Merge the config files of a command line.

    Args:
        arguments: the command line after the command, `--config` values being paths of files.

    Raises:
        yaml.YAMLError: where a file is not YAML; its `problem_mark.name` is the file.
    """
    tree = ConfigTree()
    for option, value, _ in options(arguments):
        if option in CONFIG_OPTIONS and value is not None:
            content = read_settings(Path(value))
            if isinstance(content, dict):
                tree.merge(content, f"in {value}")
    return tree


def read_tree(arguments: Sequence[str]) -> ConfigTree:
    """Merge the config files and then the options that follow a command's name.

    Args:
        arguments: the command line after the command, `--config` values being paths of files.

    Returns:
        The tree, as far as it can be read: what is no mapping and no option is left to the parser.

    Raises:
        yaml.YAMLError: where a file is not YAML; its `problem_mark.name` is the file.
    """
    tree = read_files(arguments)
    for name, value, words in chosen(tree, arguments):
        if name and words[0].startswith("--"):
            tree.assign(name, parsed(value or ""))
    return tree


def read_settings(path: Path) -> object:
    """Return the content of a config file; a top-level section may be the name of a file beside it.

    Raises:
        yaml.YAMLError: where it is not YAML.
    """
    with path.open(encoding="utf-8") as stream:
        try:
            content: object = yaml.load(stream, Loader=_Loader)  # noqa: S506 - a safe loader
        except RecursionError as error:
            start = yaml.Mark(str(path), 0, 0, 0, None, 0)
            raise yaml.MarkedYAMLError(problem="lists are nested without end", problem_mark=start) from error
    if isinstance(content, dict):
        present_settings(content)
        for key, value in content.items():
            if isinstance(value, str) and value.endswith((".yaml", ".yml")) and (path.parent / value).is_file():
                content[key] = read_settings(path.parent / value)
    return content


def parsed(text: str) -> object:
    """Return the value of an option as YAML reads it, or the text itself."""
    try:
        value: object = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, RecursionError):
        return text
    return value
