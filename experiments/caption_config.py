"""The command line and the configs of `lightning caption`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

from jsonargparse import Namespace

from experiments.captioner import Captioner
from experiments.data_command import built, data_parser

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
    parser = data_parser("caption", _DESCRIPTION)
    parser.add_class_arguments(CaptionSettings, "caption")
    parser.add_argument("--output", type=str, required=True, help="JSON file to write or to go on with.")
    parser.add_argument("--scenes", type=str, nargs="+", help="Scenes to caption; all that there are by default.")
    parser.add_argument("--overwrite", action="store_true", help="Caption the scenes anew, reviewed ones included.")
    return built(parser, "caption", _spelled_out(arguments), {"caption"})


def _spelled_out(arguments: Sequence[str]) -> list[str]:
    """`--model X` as `--caption.model X`, and so on."""
    short = {f"--{field.name}": f"--caption.{field.name}" for field in fields(CaptionSettings)}
    parts = [argument.partition("=") for argument in arguments]
    return [short.get(option, option) + equals + value for option, equals, value in parts]
