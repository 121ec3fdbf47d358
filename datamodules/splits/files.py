"""Splits as data files: which scenes train and which test, where that comes from, and how it was drawn."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from hyperalign.errors import InputError

FOLDER = Path(__file__).parent

Split = tuple[tuple[str, ...], tuple[str, ...]]
"""Scenes to train on, scenes to test on."""


def packaged_splits(data_set: str) -> tuple[str, ...]:
    """Return the names of the packaged splits of a data set, sorted.

    Args:
        data_set: class name of the DataModule.
    """
    stem = f"{data_set.lower()}_"
    return tuple(sorted(path.stem.removeprefix(stem) for path in FOLDER.glob(f"{stem}*.json")))


def load_split(data_set: str, split: str) -> Split:
    """Read a packaged split, `<data set>_<split>.json` with the lists `training` and `test`.

    Args:
        data_set: class name of the DataModule.
        split: one of `packaged_splits`.

    Raises:
        ValueError: for an unknown split.
    """
    known = packaged_splits(data_set)
    if split not in known:
        raise InputError(f"The {data_set} split {split!r} is unknown: choose {', '.join(known)} or all.")
    content = json.loads((FOLDER / f"{data_set.lower()}_{split}.json").read_text(encoding="utf-8"))
    return tuple(content["training"]), tuple(content["test"])


def draw_split(names: Iterable[str], training: int, seed: int) -> Split:
    """Draw a random split that is the same on every machine and with every library version.

    The names are ordered by the SHA-256 of `<seed>:<name>` and the first ones are taken, so nothing depends on the
    order of a folder or on a random number generator. Both lists come back sorted.

    Args:
        names: all scenes.
        training: how many of them to train on; the others are for test.
        seed: another seed gives another split.

    Raises:
        ValueError: if one of the two sets would be empty.
    """
    drawn = sorted(names, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).hexdigest())
    if not 0 < training < len(drawn):
        raise InputError(
            f"A split of {len(drawn)} scenes cannot have {training} for training: choose 1 to {len(drawn) - 1}."
        )
    return tuple(sorted(drawn[:training])), tuple(sorted(drawn[training:]))


_HSIR_TRAINING = [
    "fake_and_real_sushi",
    "watercolors",
    "chart_and_stuffed_toy",
    "superballs",
    "real_and_fake_peppers",
    "fake_and_real_tomatoes",
    "balloons",
    "fake_and_real_beers",
    "real_and_fake_apples",
    "cloth",
    "feathers",
    "hairs",
    "paints",
    "sponges",
    "clay",
    "fake_and_real_food",
    "fake_and_real_strawberries",
    "egyptian_statue",
    "fake_and_real_lemon_slices",
    "cd",
]
_HSIR_TEST = [
    "thread_spools",
    "jelly_beans",
    "beads",
    "fake_and_real_peppers",
    "face",
    "pompoms",
    "flowers",
    "photo_and_face",
    "fake_and_real_lemons",
    "stuffed_toys",
    "glass_tiles",
    "oil_painting",
]
_ALPHABETICAL = sorted(_HSIR_TRAINING + _HSIR_TEST)
_MHF_ORDER = (
    *(2, 31, 25, 6, 27, 15, 19, 14, 12, 28, 26, 29, 8, 13, 22, 7, 24, 30, 10, 23),
    *(18, 17, 21, 3, 9, 4, 20, 5, 16, 32, 11, 1),
)
_MHF = [_ALPHABETICAL[position - 1] for position in _MHF_ORDER]

CAVE_SPLITS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "hsir": (tuple(_HSIR_TRAINING), tuple(_HSIR_TEST)),
    "first20": (tuple(_ALPHABETICAL[:20]), tuple(_ALPHABETICAL[20:])),
    "mhf": (tuple(_MHF[:20]), tuple(_MHF[20:])),
    "co2if": load_split("CAVE", "co2if"),
}
"""`hsir`: the lists of bit-isp/HSIR. `first20`: the first 20 in alphabetical order. `mhf`: MHF-Net's permutation of the
alphabetical order (its code lists the folder, which is alphabetical only on some file systems). `co2if`: 22 and
10 as in that paper, which lists none: drawn here with a seed, `datamodules/splits/cave_co2if.json`."""
