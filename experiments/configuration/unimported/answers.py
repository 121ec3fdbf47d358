"""Answers a command line that asks for no run, without importing what a run needs."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import yaml

from experiments.configuration.errors import ConfigError, located, no_value
from experiments.configuration.files import resolve_configs
from experiments.configuration.filled_in.described_model import value_of
from experiments.configuration.merged import check_files, notice
from experiments.configuration.tree import ConfigTree, chosen, parsed, read_files, read_tree
from experiments.configuration.unimported.commands import KINDS, command
from experiments.configuration.unimported.help import class_help, command_help, data_help
from experiments.configuration.unimported.modules import UncertainError
from experiments.configuration.unimported.settings import Words, completed, findings
from experiments.configuration.unimported.values import refused
from hyperalign.errors import MissingFileError, absent_checkpoint

log = logging.getLogger(__name__)

DATA_COMMANDS = ("prepare", "caption")
"""Commands that read nothing of a config but its data set and a section of their own."""

HELP = ("-h", "--help")
PRINT = "print_config"
DATA = "data"
NEEDED = (DATA, "model")
"""Sections that every run has."""
_BY_NAME = ("last", "best", "hpc")
"""Checkpoints that Lightning finds by itself, or that are refused in other words."""


def answered(arguments: Sequence[str]) -> bool:
    """Answer help and `--print_config` on stdout, and refuse keys and classes that do not exist.

    Args:
        arguments: a command that runs a Trainer, `prepare` or `caption`, and what follows it, `--config` values being
            paths of files.

    Returns:
        Whether that was all; where not, or where the sources do not tell, the parser has to read the command line.

    Raises:
        ConfigError: naming the first key or class that does not exist.
        MissingFileError: naming a checkpoint that does not exist.
    """
    try:
        text = _answer(arguments[0], list(arguments[1:]))
    except (UncertainError, SyntaxError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as reason:
        log.debug("the parser answers: %s", reason)
        return False
    sys.stdout.write(text)
    return bool(text)


def _answer(name: str, words: list[str]) -> str:
    if any(word in HELP for word in words):
        return data_help(name) if name in DATA_COMMANDS else command_help(name)
    if name in DATA_COMMANDS:
        _check_whole(read_tree(resolve_configs(words)), [DATA])
        return ""
    for section in KINDS:
        if wanted := value_of(words, f"--{section}.help"):
            return class_help(section, wanted)
    check_files(words)
    keys = command(name)
    tree = read_tree(words)
    tree.settings.pop(PRINT, None)
    try:
        found = next(findings(keys, tree.settings), None)
    except UncertainError:
        _check_weights(tree)
        raise
    if found:
        raise ConfigError(located(tree, found))
    _check_weights(tree)
    tree = read_files(words)
    for option, value, given in chosen(tree, words, KINDS):
        _take(tree, option, value, given)
    if f"--{PRINT}" not in words:
        _check_whole(tree, NEEDED)
    if sentence := refused(keys, tree.settings):
        raise ConfigError(sentence)
    if f"--{PRINT}" not in words:
        return ""
    whole = completed(keys, tree.settings)
    notice(tree)
    return f"# lightning.pytorch=={version('lightning')}\n" + yaml.safe_dump(
        whole, default_flow_style=False, sort_keys=False, allow_unicode=True
    )


def _check_whole(tree: ConfigTree, needed: Sequence[str]) -> None:
    """Refuse what lacks a section that it needs.

    Raises:
        ConfigError: naming what is missing.
    """
    if missing := [key for key in needed if tree.settings.get(key) is None]:
        raise ConfigError(no_value(missing))


def _check_weights(tree: ConfigTree) -> None:
    """Refuse a checkpoint that is not there, in the words of what would read it.

    Raises:
        MissingFileError: naming the checkpoint.
    """
    model = tree.settings.get("model")
    inner = model.get("init_args") if isinstance(model, dict) else None
    for path in (tree.settings.get("ckpt_path"), inner.get("source") if isinstance(inner, dict) else None):
        if not isinstance(path, str) or path in _BY_NAME or path.startswith("registry") or not path.strip():
            continue
        if "://" not in path and not Path(path).exists():
            raise MissingFileError(absent_checkpoint(path))


def _take(tree: ConfigTree, option: str, value: str | None, words: Sequence[str]) -> None:
    """Set one option with its text, which is read by its type later."""
    if option == PRINT and value is None:
        return
    if not words[0].startswith("--") or value is None or option.endswith("+") or len(words) > 2:
        raise UncertainError(option)
    tree.assign(option, value if isinstance(parsed(value), str) else Words(value))
