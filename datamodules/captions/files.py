"""Reading and writing caption files: JSON with the data set's name and one caption per scene, perhaps with regions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hyperalign.captions import Region, RegionCaption, Window
from hyperalign.errors import HyperalignError, MissingFileError
from hyperalign.files import parsed_json, write_text

FOLDER = Path(__file__).parent
CAPTIONS = tuple(sorted(path.stem for path in FOLDER.glob("*.json")))
"""Names of the packaged caption files."""


class CaptionError(HyperalignError, ValueError):
    """A caption file that cannot be used, or a scene without a caption."""


def load_captions(name: str, data_set: str) -> dict[str, str]:
    """Return the captions of a data set's scenes.

    Args:
        name: one of `CAPTIONS`, or the path of a JSON file
            `{"data_set": "CAVE", "captions": {"balloons": "Five glossy balloons ..."}}`. Instead of its caption a
            scene may have `{"caption": ..., "regions": [{"box": [top, left, height, width], "text": ...}]}`, boxes in
            pixels of the whole scene (of a pair: of its multispectral image): patches and tiles are then told what
            they show.
        data_set: class name of the DataModule that asks, which the file must be for.

    Returns:
        Caption by scene name, without blanks around it.

    Raises:
        FileNotFoundError: there is neither a packaged file nor a file of this name.
        CaptionError: the file is malformed, is for another data set, or holds an empty caption.
    """
    path = FOLDER / f"{name}.json" if name in CAPTIONS else Path(name)
    if not path.is_file():
        raise MissingFileError(
            f"There is no caption file {name}; choose {', '.join(CAPTIONS)}, give the path of a JSON file, or let "
            "`hyperalign caption` write one."
        )
    try:
        content = parsed_json(path.read_text(encoding="utf-8"))
        owner, given = str(content["data_set"]), dict(content["captions"])
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        place = f" in line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise CaptionError(
            f'The caption file {path} is malformed{place}; expected {{"data_set": ..., "captions": '
            "{scene: caption}}."
        ) from None
    captions = {scene: _checked(scene, caption, path) for scene, caption in given.items()}
    if owner != data_set:
        raise CaptionError(
            f"The caption file {path} is for {owner} but the data set is {data_set}: give one of its own, or write "
            f'"data_set": "{data_set}" into it where it tells of the same scenes.'
        )
    empty = [scene for scene, caption in captions.items() if not caption]
    if empty:
        raise CaptionError(f"The caption of {', '.join(empty)} in {path} is empty; write what is seen in the scene.")
    return captions


def check_regions(name: str, caption: RegionCaption, height: int, width: int) -> None:
    """Refuse a caption of which a region has no pixel in its scene.

    Args:
        name: of the scene, for the sentence.
        caption: of the scene.
        height: of the scene, in the pixels that boxes count in.
        width: of the scene.

    Raises:
        CaptionError: naming the region.
    """
    if beyond := caption.beyond(height, width):
        raise CaptionError(
            f"The region {list(beyond[0].box)} of the caption of {name} ({beyond[0].text}) lies outside of its "
            f"{height} x {width} pixels: give boxes as [top, left, height, width] in pixels of the whole scene (of a "
            "pair: of its multispectral image)."
        )


def _checked(scene: str, given: Any, path: Path) -> str:  # noqa: ANN401 - what JSON knows
    """Return one scene's caption.

    Raises:
        CaptionError: naming the scene.
    """
    try:
        return _caption(given)
    except (KeyError, TypeError, AttributeError, ValueError):
        raise CaptionError(
            f"The caption of {scene} in {path} is malformed; expected a sentence, or "
            '{"caption": ..., "regions": [{"box": [top, left, height, width], "text": ...}]} with boxes of whole '
            "numbers in the scene and a text for each."
        ) from None


def _caption(given: str | Mapping[str, Any]) -> str:
    """Return one scene's caption, with its regions where it has them.

    Raises:
        KeyError, TypeError, ValueError: for anything else.
    """
    if isinstance(given, str):
        return given.strip()
    regions = [Region(_box(one["box"]), str(one["text"]).strip()) for one in given["regions"]]
    if not all(one.text for one in regions):
        raise ValueError
    return RegionCaption(str(given["caption"]).strip(), regions)


def _box(given: Sequence[int]) -> Window:
    top, left, height, width = given
    if not all(type(one) is int for one in given) or min(top, left) < 0 or min(height, width) < 1:
        raise ValueError
    return Window(top, left, height, width)


def _content(caption: str) -> str | dict[str, Any]:
    """Return what stands for a caption in a file."""
    if not isinstance(caption, RegionCaption):
        return caption
    return {"caption": str(caption), "regions": [{"box": list(one.box), "text": one.text} for one in caption.regions]}


def write_captions(path: Path, data_set: str, captions: Mapping[str, str], unreviewed: Sequence[str] = ()) -> None:
    """Write a caption file beside its place and rename it, so that a stop half-way loses nothing.

    Args:
        path: where the file goes.
        data_set: class name of the DataModule it is for.
        captions: caption by scene name.
        unreviewed: scenes whose caption no person has looked at yet.
    """
    told = {scene: _content(caption) for scene, caption in sorted(captions.items())}
    content = {"data_set": data_set, "unreviewed": sorted(unreviewed), "captions": told}
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
