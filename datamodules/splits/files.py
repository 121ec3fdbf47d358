"""Splits as data files: which scenes train and which test, where that comes from, and how it was drawn."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

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
        raise ValueError(f"The {data_set} split {split!r} is unknown: choose {', '.join(known)} or all.")
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
        raise ValueError(
            f"A split of {len(drawn)} scenes cannot have {training} for training: choose 1 to {len(drawn) - 1}."
        )
    return tuple(sorted(drawn[:training])), tuple(sorted(drawn[training:]))
