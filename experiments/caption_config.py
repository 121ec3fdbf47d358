"""The command line and the configs of `lightning caption`."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from jsonargparse import ActionConfigFile, Namespace  # type: ignore[attr-defined]  # both are public

from datamodules import SceneDataModule
from experiments.captioner import Captioner
from experiments.command import ParserRefusalError, SentenceParser
from experiments.config_errors import ConfigError, explain
from experiments.config_files import resolve_configs

SECTIONS = ("data", "caption")
"""What is read of a config; the rest belongs to the commands that train and test."""

_DESCRIPTION = """\
Writes a caption for every scene of a data set: `lightning caption --config data/cave --output captions.json`. The file
is written after every scene, and scenes that have a caption in it are left alone, so that an interrupted command goes
on where it stopped. The keys of `caption` may be given without it, as in `--model FOLDER`. Review the captions, delete
the names of the reviewed scenes from `unreviewed`, and use the file by `--data.captions captions.json`."""


@dataclass(frozen=True)
class CaptionSettings:
    """How captions are made; the section `caption` of a config.

    Args:
        model: identifier on the Hugging Face hub, or folder that `save_pretrained` wrote, of an image-to-text model.
        revision: branch, tag or commit of the model; None takes its main branch.
        prompt: beginning that a captioning model continues, or instruction of a chat model.
        max_new_tokens: length at which a caption is cut, in tokens; CLIP reads 77.
        device: such as `cpu` or `cuda:1`; `auto` is the first GPU where there is one.
        response: camera that makes the RGB picture: a packaged table (`nikon_d700`) or a CSV file; None takes the bands
            nearest to 660, 550 and 470 nm.
    """

    model: str = "Salesforce/blip-image-captioning-base"
    revision: str | None = None
    prompt: str = ""
    max_new_tokens: int = 40
    device: str = "auto"
    response: str | None = None

    def captioner(self) -> Captioner:
        """Load the model."""
        return Captioner(**{key: value for key, value in asdict(self).items() if key != "response"})


def parsed(arguments: Sequence[str]) -> Namespace:
    """The command line and its configs, with the DataModule and the settings built.

    Raises:
        ConfigNotFoundError: A `--config` names no file.
        ConfigError: A key, a class or a value is wrong.
    """
    importlib.import_module("datamodules")  # for its names: a class that is imported can be called by its short name
    parser = SentenceParser(prog="lightning caption", description=_DESCRIPTION, allow_abbrev=False)
    parser.add_argument("-c", "--config", action=ActionConfigFile, help="Config with the data set; may be repeated.")
    parser.add_lightning_class_args(SceneDataModule, "data", subclass_mode=True, required=True)
    parser.add_class_arguments(CaptionSettings, "caption")
    parser.add_argument("--output", type=str, required=True, help="JSON file to write or to go on with.")
    parser.add_argument("--scenes", type=str, nargs="+", help="Scenes to caption; all that there are by default.")
    parser.add_argument("--overwrite", action="store_true", help="Caption the scenes anew, reviewed ones included.")
    with TemporaryDirectory() as folder:
        words, originals = _own_sections(_spelled_out(resolve_configs(arguments)), Path(folder))
        try:
            # older versions of the parser know the older name only
            instantiate = getattr(parser, "instantiate", None) or parser.instantiate_classes
            built: Namespace = instantiate(parser.parse_args(words))
        except ParserRefusalError as refusal:
            sentence = explain(str(refusal), ["caption", *words], {"caption": parser})
            for copy, original in originals.items():
                sentence = sentence.replace(copy, original)
            raise ConfigError(sentence) from refusal
    return built


def _spelled_out(arguments: Sequence[str]) -> list[str]:
    """`--model X` as `--caption.model X`, and so on."""
    short = {f"--{field.name}": f"--caption.{field.name}" for field in fields(CaptionSettings)}
    parts = [argument.partition("=") for argument in arguments]
    return [short.get(option, option) + equals + value for option, equals, value in parts]


def _own_sections(arguments: Sequence[str], folder: Path) -> tuple[list[str], dict[str, str]]:
    """The command line with copies of the configs that hold `SECTIONS` alone, and the original of every copy.

    Files that are no mapping or no YAML are left to the parser, which says what is wrong with them.
    """
    words: list[str] = []
    originals: dict[str, str] = {}
    for index, argument in enumerate(arguments):
        option, equals, name = argument.partition("=")
        if equals and option in {"-c", "--config"}:
            words.append(f"{option}={_own_section(name, folder, originals)}")
        elif index and arguments[index - 1] in {"-c", "--config"}:
            words.append(_own_section(argument, folder, originals))
        else:
            words.append(argument)
    return words, originals


def _own_section(name: str, folder: Path, originals: dict[str, str]) -> str:
    try:
        # nodes, not values: what is kept is written as it was, so that the parser reads its numbers as ever
        document = yaml.compose(Path(name).read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError):
        return name
    if not isinstance(document, yaml.MappingNode):
        return name
    document.value = [(key, value) for key, value in document.value if key.value in SECTIONS]
    copy = folder / f"{len(originals)}.yaml"
    copy.write_text(yaml.serialize(document), encoding="utf-8")
    originals[str(copy)] = name
    return str(copy)
