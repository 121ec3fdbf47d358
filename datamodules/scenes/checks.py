"""What every scene must satisfy before anything is trained or tested on it, each rule with its one sentence."""

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from datamodules.scenes.scene import Scene
from datamodules.scenes.wavelengths import rgb_bands
from hyperalign.errors import InputError, MissingFileError

_ROUNDING = 1e-6


def check_scene(scene: Scene) -> Scene:
    """Return the scene if it is a float32 `C x H x W` cube of finite values in [0, 1] that covers red, green and blue.

    Values above 1 are refused like negative ones (rounding of 1e-6 is let through): they mean that the cube has not
    been divided by its full scale, and clipping them would change spectra without anybody noticing.

    Raises:
        ValueError: one sentence that names the scene, what is wrong with it and what to do.
    """
    cube, name = scene.cube, scene.name
    if cube.dtype != torch.float32 or cube.ndim != 3 or cube.numel() == 0:
        raise InputError(
            f"The scene {name!r} is a {cube.dtype} tensor of shape {tuple(cube.shape)}: "
            "give a float32 cube of bands x height x width."
        )
    if cube.shape[0] != len(scene.wavelengths):
        raise InputError(
            f"The scene {name!r} has {cube.shape[0]} bands but {len(scene.wavelengths)} wavelengths: "
            "check its reader or its file."
        )
    if not (finite := cube.isfinite()).all():
        band, row, column = (~finite).nonzero()[0].tolist()
        raise InputError(
            f"The scene {name!r} has {int((~finite).sum())} values that are NaN or infinite, the first in band {band} "
            f"at row {row}, column {column}: repair the file or leave the scene out."
        )
    low, high = float(cube.min()), float(cube.max())
    if low < 0:
        raise InputError(
            f"The scene {name!r} has {int((cube < 0).sum())} negative values, the lowest {low:g}: "
            "cubes lie in [0, 1], so repair the file or leave the scene out."
        )
    if high > 1 + _ROUNDING:
        raise InputError(
            f"The scene {name!r} has {int((cube > 1 + _ROUNDING).sum())} values above 1, the highest {high:g}: "
            "cubes lie in [0, 1], so divide by the full scale of the sensor."
        )
    try:
        rgb_bands(scene.wavelengths)
    except ValueError as error:
        raise InputError(f"Scene {name!r}: {error}") from error
    return scene


def check_folder(folder: Path, what: str, where: str) -> Path:
    """Return the folder if it exists.

    Args:
        folder: where the data set was said to be.
        what: what is expected inside, e.g. "the CAVE data set, one folder a scene".
        where: where to get it.

    Raises:
        FileNotFoundError: one sentence that says what was expected, where, and where to get it.
    """
    if not folder.is_dir():
        raise MissingFileError(f"There is no folder {folder}, where {what} is expected: {where}.")
    return folder


def check_names(names: Sequence[str], known: Iterable[str], subset: str, where: str) -> tuple[str, ...]:
    """Return the names if every one is known and none is there twice.

    Args:
        names: scene names asked for.
        known: scene names that exist.
        subset: what the names are for: "training", "observed", ...
        where: the data set, for the sentence.

    Raises:
        ValueError: naming the scenes that are missing, with the nearest known names, or those that are doubled.
    """
    available = sorted(known)
    if missing := [name for name in names if name not in available]:
        close = difflib.get_close_matches(missing[0], available, n=3, cutoff=0.5)
        hint = f"nearest is {', '.join(close)}" if close else f"there are {', '.join(available) or 'none'}"
        listed = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise InputError(
            f"The {subset} scenes {listed} are not in {where} ({hint}): "
            f"add their files, or name other scenes with `{subset}`."
        )
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"The {subset} scenes of {where} name {', '.join(doubled)} twice: name each scene once.")
    return tuple(names)


def check_disjoint(first: Sequence[str], second: Sequence[str], what: str) -> None:
    """Make sure that two sets of scenes share none.

    Raises:
        ValueError: naming the shared scenes.
    """
    if shared := sorted(set(first) & set(second)):
        raise InputError(f"The {what} scenes share {', '.join(shared)}: put each scene in one of the two sets.")
