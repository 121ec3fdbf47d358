"""Which two files are a pair: two folders with the same stems, two suffixes in one folder, or a file with both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from datamodules.scenes.expected import listing
from datamodules.scenes.readers import find_cubes, survey
from hyperalign.errors import InputError, MissingFileError

__all__ = ["FOLDERS", "SUFFIXES", "PairPaths", "check_names", "find_pairs"]

PairPaths = tuple[Path, Path]
"""The hyperspectral and the multispectral file; one file twice where it holds both."""

FOLDERS = ("hyperspectral", "multispectral")
SUFFIXES = ("_hs", "_ms")
_SEVERAL = (".mat", ".h5", ".hdf5", ".he5", ".nc", ".nc4", ".npz")
"""Endings of formats that hold several arrays."""


def check_names(what: str, names: Sequence[str]) -> tuple[str, str]:
    """Return two different, not empty names.

    Args:
        what: the setting, for the sentence.
        names: of the hyperspectral and of the multispectral images.

    Raises:
        InputError: for anything else.
    """
    if len(names) != 2 or names[0] == names[1] or not all(names):
        raise InputError(
            f"The {what} of a pair are {list(names)}: name two different ones, the hyperspectral images' first."
        )
    return names[0], names[1]


def find_pairs(
    root: Path, folders: tuple[str, str] = FOLDERS, suffixes: tuple[str, str] = SUFFIXES
) -> dict[str, PairPaths]:
    """Return both files of every pair by the stem that they have in common, without opening them.

    Args:
        root: a file with both arrays; or a folder that holds `folders`, with files of the same stems; or one with files
            whose stems end with `suffixes`; or one with files that hold both arrays.
        folders: names of the folder of hyperspectral and of that of multispectral images.
        suffixes: ends of the stems of hyperspectral and of multispectral images.

    Raises:
        MissingFileError: if there is no pair, or an image has no partner.
    """
    where = (
        f"set data.init_args.root to a folder that holds {folders[0]}/ and {folders[1]}/ with files of the same stems, "
        f"or files NAME{suffixes[0]}.* beside NAME{suffixes[1]}.*, or to a file with both arrays"
    )
    if root.is_file():
        return {root.stem: (root, root)}
    if not root.is_dir():
        raise MissingFileError(f"There is no file or folder {root} with a pair of images: {where}.")
    first, second = (root / name for name in folders)
    if first.is_dir() and second.is_dir():
        pairs = _matched(*_partners(first, second), str(first), str(second))
    else:
        # What is asked for by its suffix is an image, though its name may say preview (`_rgb`).
        asked = [survey(root, include=[f"*{end}", f"*{end}.*"]).cubes for end in suffixes]
        named = [
            _by_stem([path for path in found if _stem(path).endswith(end)], end)
            for found, end in zip(asked, suffixes, strict=True)
        ]
        if any(named):
            there, elsewhere = (f"NAME{end}.* in {root}" for end in suffixes)
            pairs = _matched(named[0], named[1], there, elsewhere)
        else:
            pairs = {path.stem: (path, path) for path in find_cubes(root) if path.suffix.lower() in _SEVERAL}
    if not pairs:
        raise MissingFileError(f"No pair lies in {root}, which holds {listing(root)}: {where}.")
    return pairs


def _stem(path: Path) -> str:
    return path.name if path.is_dir() else path.stem


def _partners(first: Path, second: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """The images of two folders by their stems, with those of the second whose names alone say that they are none."""
    own, beside = _by_stem(find_cubes(first)), _by_stem(find_cubes(second))
    unlike = [path for path in survey(second, include=["*"]).cubes if _stem(path) in own and _stem(path) not in beside]
    return own, beside | _by_stem(unlike)


def _by_stem(paths: Sequence[Path], end: str = "") -> dict[str, Path]:
    """Files by their stems without an end, two of one stem being refused."""
    found: dict[str, Path] = {}
    for path in paths:
        stem = _stem(path).removesuffix(end) or _stem(path)
        if stem in found:
            raise InputError(
                f"Both {found[stem].name} and {path.name} in {path.parent} could be the image {stem!r} of a pair: "
                "leave one of them."
            )
        found[stem] = path
    return found


def _matched(first: Mapping[str, Path], second: Mapping[str, Path], there: str, elsewhere: str) -> dict[str, PairPaths]:
    """Pair the files of the same stems.

    Raises:
        MissingFileError: if one has no partner.
    """
    for own, other, place, beyond in ((first, second, there, elsewhere), (second, first, elsewhere, there)):
        if lonely := [path.name for stem, path in own.items() if stem not in other]:
            raise MissingFileError(
                f"The images {', '.join(lonely[:5])} of {place} have none of their name in {beyond}: add it, or take "
                "them away."
            )
    return {stem: (path, second[stem]) for stem, path in first.items()}
