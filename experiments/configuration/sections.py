"""Commands that read nothing of a config but its data set and a section of their own."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from jsonargparse import ActionConfigFile, Namespace  # type: ignore[attr-defined]  # both are public

from datamodules import SceneDataModule
from experiments.configuration.errors import ConfigError, explain
from experiments.configuration.files import resolve_configs
from experiments.configuration.lightning_cli import ParserRefusalError, SentenceParser

DATA = "data"
"""The section of the data set; other sections belong to the commands that train and test."""


def data_parser(command: str, description: str) -> SentenceParser:
    """A parser with the options `--config` and `--data`, to which the command adds its own.

    Args:
        command: the word after `lightning`.
        description: what `--help` says about it.
    """
    importlib.import_module("datamodules")  # for its names: a class that is imported can be called by its short name
    parser = SentenceParser(prog=f"lightning {command}", description=description, allow_abbrev=False)
    parser.add_argument("-c", "--config", action=ActionConfigFile, help="Config with the data set; may be repeated.")
    parser.add_lightning_class_args(SceneDataModule, DATA, subclass_mode=True, required=True)
    return parser


def built(parser: SentenceParser, command: str, arguments: Sequence[str], sections: Collection[str] = ()) -> Namespace:
    """The command line and its configs, with the DataModule and other classes built.

    Args:
        parser: what `data_parser` made.
        command: the word after `lightning`.
        arguments: what stands after it.
        sections: what is read of a config besides the data set.

    Raises:
        ConfigNotFoundError: A `--config` names no file.
        ConfigError: A key, a class or a value is wrong.
    """
    with TemporaryDirectory() as folder:
        words, originals = _own_sections(resolve_configs(arguments), {DATA, *sections}, Path(folder))
        try:
            # older versions of the parser know the older name only
            instantiate = getattr(parser, "instantiate", None) or parser.instantiate_classes
            namespace: Namespace = instantiate(parser.parse_args(words))
        except ParserRefusalError as refusal:
            sentence = explain(str(refusal), [command, *words], {command: parser})
            for copy, original in originals.items():
                sentence = sentence.replace(copy, original)
            raise ConfigError(sentence) from refusal
    return namespace


def _own_sections(
    arguments: Sequence[str], sections: Collection[str], folder: Path
) -> tuple[list[str], dict[str, str]]:
    """The command line with copies of the configs that hold `sections` alone, and the original of every copy.

    Files that are no mapping or no YAML are left to the parser, which says what is wrong with them.
    """
    words: list[str] = []
    originals: dict[str, str] = {}
    for index, argument in enumerate(arguments):
        option, equals, name = argument.partition("=")
        if equals and option in {"-c", "--config"}:
            words.append(f"{option}={_own_section(name, sections, folder, originals)}")
        elif index and arguments[index - 1] in {"-c", "--config"}:
            words.append(_own_section(argument, sections, folder, originals))
        else:
            words.append(argument)
    return words, originals


def _own_section(name: str, sections: Collection[str], folder: Path, originals: dict[str, str]) -> str:
    try:
        # nodes, not values: what is kept is written as it was, so that the parser reads its numbers as ever
        document = yaml.compose(Path(name).read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError):
        return name
    if not isinstance(document, yaml.MappingNode):
        return name
    document.value = [(key, value) for key, value in document.value if key.value in sections]
    copy = folder / f"{len(originals)}.yaml"
    copy.write_text(yaml.serialize(document), encoding="utf-8")
    originals[str(copy)] = name
    return str(copy)
