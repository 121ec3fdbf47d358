"""Commands that read nothing of a config but its data set and a section of their own."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Sequence

from jsonargparse import ActionConfigFile, Namespace  # type: ignore[attr-defined]  # both are public
from lightning import LightningDataModule

from datamodules import SceneDataModule
from experiments.configuration.errors import ConfigError, explain
from experiments.configuration.files import resolve_configs
from experiments.configuration.lightning_cli import ParserRefusalError, SentenceParser
from experiments.configuration.merged import one_config

DATA = "data"
"""The section of the data set; other sections belong to the commands that train and test."""


def data_parser(
    command: str, description: str, kinds: tuple[type[LightningDataModule], ...] = (SceneDataModule,)
) -> SentenceParser:
    """Return a parser with the options `--config` and `--data`, to which the command adds its own.

    Args:
        command: the word after `hyperalign`.
        description: what `--help` says about it.
        kinds: the data that the command takes.
    """
    importlib.import_module("datamodules")  # for its names: a class that is imported can be called by its short name
    parser = SentenceParser(prog=f"hyperalign {command}", description=description, allow_abbrev=False)
    parser.add_argument("-c", "--config", action=ActionConfigFile, help="Config with the data set; may be repeated.")
    parser.add_subclass_arguments(kinds, DATA, fail_untyped=False, required=True)
    return parser


def built(parser: SentenceParser, command: str, arguments: Sequence[str], sections: Collection[str] = ()) -> Namespace:
    """Return the command line and its configs, with the DataModule and other classes built.

    Args:
        parser: what `data_parser` made.
        command: the word after `hyperalign`.
        arguments: what stands after it.
        sections: what is read of a config besides the data set.

    Raises:
        ConfigNotFoundError: a `--config` names no file.
        ConfigError: a key, a class or a value is wrong.
    """
    resolved = resolve_configs(arguments)
    with one_config(resolved, {DATA}, {DATA, *sections}) as words:
        try:
            # older versions of the parser know the older name only
            instantiate = getattr(parser, "instantiate", None) or parser.instantiate_classes
            namespace: Namespace = instantiate(parser.parse_args(words))
        except ParserRefusalError as refusal:
            raise ConfigError(
                explain(str(refusal), [command, *resolved], {command: parser}, {DATA, *sections})
            ) from refusal
    return namespace
