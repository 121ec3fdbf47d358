"""`hyperalign caption`: a caption for every scene of a data set, by an image-to-text model, for a person to review."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from jsonargparse import Namespace

from callbacks.progress import StageBar
from datamodules import SceneDataModule
from datamodules.captions import load_captions, write_captions
from datamodules.scenes.checks import check_names
from experiments.captioning.captioner import Captioner, CaptionModelError
from experiments.captioning.photographs import Photographer
from experiments.commands.tables import without
from experiments.configuration.files import packaged_configs
from experiments.configuration.sections import built, data_parser
from experiments.ending import last_lines
from hyperalign.errors import HyperalignError


class CaptionOutputError(HyperalignError, OSError):
    """A caption file that cannot be written."""


def main(arguments: Sequence[str]) -> None:
    """Run `hyperalign caption`.

    Args:
        arguments: what stands after `caption` on the command line.

    Raises:
        ConfigNotFoundError: a `--config` names no file.
        ConfigError: a key, a class or a value is wrong.
        CaptionError: the output exists and is malformed or of another data set.
        CaptionModelError: the model cannot be loaded, or had nothing to say about a scene.
        CaptionOutputError: the output cannot be written.
    """
    given = parsed(arguments)
    output = Path(given.output)
    written, kept = write_missing(given.data, output, given.caption, given.scenes, given.overwrite)
    sys.stdout.write(
        f"{output}: {written} scenes captioned, {kept} kept as they were. Review them and delete the names of the "
        "reviewed scenes from `unreviewed`.\n"
    )
    sys.stdout.write(last_lines({"captions": output}, following(given.data, arguments, output)))


def following(data: SceneDataModule, arguments: Sequence[str], output: Path) -> list[str]:
    """Return the words of the command that trains CO2IF with the captions.

    Args:
        data: the data set.
        arguments: what the user typed after `caption`.
        output: the file of the captions.
    """
    own = f"co2if/{type(data).__name__.lower()}"
    if own in packaged_configs():
        return ["fit", "--config", own, "--data.root", str(vars(data)["root"]), "--data.captions", str(output)]
    options = ("output", "scenes", "overwrite", "caption", *(field.name for field in fields(CaptionSettings)))
    return ["fit", "--config", "co2if/cave", *without(arguments, options), "--data.captions", str(output)]


def write_missing(
    data: SceneDataModule,
    output: Path,
    settings: CaptionSettings,
    scenes: Sequence[str] | None = None,
    overwrite: bool = False,
) -> tuple[int, int]:
    """Caption the scenes that the file has no caption for, and write it after each of them.

    Pictures are made of the clean scenes, also of a target's: a caption says what a person on the spot would.

    Args:
        data: the data set; its own caption file is not asked for, as it may be the one to be written.
        output: the caption file, gone on with where it exists.
        settings: how captions are made.
        scenes: names of the scenes; None takes all that there are.
        overwrite: forget the captions that these scenes have in the file, reviewed or not.

    Returns:
        How many scenes got a caption and how many had one.

    Raises:
        ValueError: a scene is unknown, named twice or damaged, or its bands do not cover red, green and blue.
        CaptionError: the file is malformed or of another data set.
        CaptionModelError: the model cannot be loaded, or had nothing to say about a scene.
        CaptionOutputError: the file cannot be written.
    """
    data.captions = None
    owner = type(data).__name__
    names = data.scene_names()
    if scenes is not None:
        names = check_names([data.canonical_name(name) for name in scenes], names, "caption", owner)
    captions, unreviewed = _read(output, owner)
    if overwrite:
        captions = {name: caption for name, caption in captions.items() if name not in names}
    missing = [name for name in names if name not in captions]
    photographer = Photographer(data.wavelengths, settings.response)
    if not missing:
        return 0, len(names)
    captioner = settings.captioner()
    silent = []
    with StageBar() as progress:
        for number, name in enumerate(missing):
            progress("captions", number, len(missing))
            if caption := captioner(photographer(data.scenes([name])[0].load().cube)):
                captions[name] = caption
                unreviewed.add(name)
                _write(output, owner, captions, unreviewed)
            else:
                silent.append(name)
        progress("captions", len(missing), len(missing))
    if silent:
        raise CaptionModelError(
            f"The image-to-text model {settings.model} said nothing about {', '.join(silent)}; write these captions "
            f"into {output} by hand, or set another `--prompt` or `--model`."
        )
    return len(missing), len(names) - len(missing)


def _read(output: Path, owner: str) -> tuple[dict[str, str], set[str]]:
    """Captions of the file and which of them no person has reviewed; none where there is no file."""
    if output.is_dir():
        raise CaptionOutputError(f"The output {output} is a folder; give the name of a JSON file in it.")
    if not output.is_file():
        return {}, set()
    # as an absolute path, which is no name of a packaged file
    captions = load_captions(str(output.resolve()), owner)
    return captions, set(json.loads(output.read_text(encoding="utf-8")).get("unreviewed", []))


def _write(output: Path, owner: str, captions: dict[str, str], unreviewed: set[str]) -> None:
    try:
        write_captions(output, owner, captions, sorted(unreviewed & captions.keys()))
    except OSError as error:
        raise CaptionOutputError(
            f"The captions cannot be written to {output} ({error.strerror or error}); name another file by `--output`."
        ) from error


_DESCRIPTION = """\
Writes a caption for every scene of a data set: `hyperalign caption --config data/cave --output captions.json`. The file
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
    """Return the command line and its configs, with the DataModule and the settings built.

    Raises:
        ConfigNotFoundError: a `--config` names no file.
        ConfigError: a key, a class or a value is wrong.
    """
    parser = data_parser("caption", _DESCRIPTION)
    parser.add_class_arguments(CaptionSettings, "caption")
    parser.add_argument("--output", type=str, required=True, help="JSON file to write or to go on with.")
    parser.add_argument("--scenes", type=str, nargs="+", help="Scenes to caption, one or more names; all by default.")
    parser.add_argument("--overwrite", action="store_true", help="Caption the scenes anew, reviewed ones included.")
    given = built(parser, "caption", _spelled_out(arguments), {"caption"})
    given.scenes = _one_by_one(given.scenes)
    return given


def _one_by_one(scenes: Sequence[str] | None) -> list[str] | None:
    """Return names that stand one after another, or in one list (`[a, b]`) as everywhere else on the command line."""
    if scenes is None or len(scenes) != 1 or not scenes[0].startswith("["):
        return None if scenes is None else list(scenes)
    return [name.strip().strip("\"'") for name in scenes[0].strip("[]").split(",")]


def _spelled_out(arguments: Sequence[str]) -> list[str]:
    """`--model X` as `--caption.model X`, and so on."""
    short = {f"--{field.name}": f"--caption.{field.name}" for field in fields(CaptionSettings)}
    parts = [argument.partition("=") for argument in arguments]
    return [short.get(option, option) + equals + value for option, equals, value in parts]
