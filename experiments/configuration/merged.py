"""All config files of a command line as one, so that the parser sees every class before its settings."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from experiments.configuration.errors import ConfigError, unreadable
from experiments.configuration.files import shown_name
from experiments.configuration.tree import CONFIG_OPTIONS, ConfigTree, chosen, options, read_files, read_settings
from experiments.process.launchers import RANK_VARIABLES


class _Dumper(yaml.SafeDumper):
    """Quotes every text, so that what was text is read as text again."""


_Dumper.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


@contextmanager
def one_config(
    arguments: Sequence[str], first: Collection[str] = (), sections: Collection[str] | None = None
) -> Iterator[list[str]]:
    """Give the words of a command with one config file, which holds what all of them say.

    Args:
        arguments: the command line after the command, `--config` values being existing files.
        first: sections that hold a class, which an option may choose (`--data CAVE`).
        sections: the sections that the command reads; others are left out. None reads all.

    Raises:
        ConfigError: where a file cannot be read.
    """
    try:
        check_files(arguments)
        tree = read_files(arguments)
    except yaml.MarkedYAMLError as error:
        raise ConfigError(unreadable(error)) from error
    notice(tree)
    left = chosen(tree, arguments, first)
    given = [word for name, value, words in left if value != "null" or not tree.clear(name) for word in words]
    settings = {key: value for key, value in tree.settings.items() if sections is None or key in sections}
    with TemporaryDirectory() as folder:
        words = given
        if settings:
            path = Path(folder) / "configs.yaml"
            path.write_text(dumped(settings), encoding="utf-8")
            words = ["--config", str(path), *words]
        yield words


def dumped(settings: dict[str, Any]) -> str:
    """Return settings as YAML that the parser reads as they are."""
    return yaml.dump(settings, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)


def check_files(arguments: Sequence[str]) -> None:
    """Refuse a config file that holds no settings.

    Raises:
        ConfigError: naming the file.
        yaml.MarkedYAMLError: where it is not YAML.
    """
    for option, value, _ in options(arguments):
        if option not in CONFIG_OPTIONS:
            continue
        if value is None:
            raise ConfigError("The option --config needs the name of a config: `hyperalign --help` lists them.")
        try:
            content = read_settings(Path(value))
        except UnicodeDecodeError as error:
            raise ConfigError(f"The config {shown_name(value)} is no text in UTF-8: give a YAML file.") from error
        if content is not None and not isinstance(content, dict):
            raise ConfigError(
                f"The config {shown_name(value)} holds a {type(content).__name__} instead of sections such as `model:` "
                "and `data:`: give a file of settings."
            )


def notice(tree: ConfigTree) -> None:
    """Tell on stderr, once for all processes, which classes of a file a later file replaced."""
    if all(os.environ.get(name, "0") == "0" for name in RANK_VARIABLES):
        for sentence in tree.notices:
            sys.stderr.write(f"note: {sentence}\n")
