"""Folders of noisy cubes as people have them, in four formats, made of clean scenes whose truth is then known."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.commands.demo import write_envi
from hyperalign.errors import InputError, MissingFileError
from hyperalign.files import replacing

if TYPE_CHECKING:
    from torch import Tensor

    from datamodules.degradations import Degradation

ENDINGS = (".mat", ".img", ".tif", ".npy")
"""MATLAB, ENVI, TIFF and NumPy, in turn."""


def crops_of(root: Path, side: int) -> tuple[dict[str, Tensor], tuple[float, ...]]:
    """Return the middle of every CAVE scene below a folder, `C x side x side` in [0, 1], and the band centres.

    Raises:
        MissingFileError: where there is no scene.
    """
    from datamodules import CAVE

    data, found = CAVE(root=str(root)), {}
    for name in data.scene_names():
        # Whoever has some of the scenes has a table of those.
        with suppress(OSError):
            cube = data.read_scene(name).cube
            top, left = ((length - side) // 2 for length in cube.shape[1:])
            found[name] = cube[:, top : top + side, left : left + side].clone()
    if not found:
        raise MissingFileError(f"There is no CAVE scene in {root}: set --root to complete_ms_data.")
    return found, data.wavelengths


def squares_of(
    root: Path, side: int, wavelengths: str, key: str | None = None
) -> tuple[dict[str, Tensor], tuple[float, ...]]:
    """Return the squares that clean cubes are cut into, `C x side x side`, their maximum at 1, and the band centres.

    Args:
        root: a file or a folder of cubes.
        side: rows and columns of a square; what is left over at the ends is left out.
        wavelengths: band centres in nm, `FIRST:LAST:COUNT`.
        key: variable that holds the cube, in formats with several.

    Raises:
        InputError: where no cube is as large as a square, or one cannot be read.
    """
    import torch

    from datamodules import Folder

    data, found = Folder(str(root), wavelengths=wavelengths, key=key, normalisation="maximum"), {}
    scenes = data.open_scenes({"any_bands": True})
    for scene in scenes:
        _, height, width = scene.file.shape
        for top in range(0, height - side + 1, side):
            for left in range(0, width - side + 1, side):
                name = f"{Path(scene.name).stem}_{top}_{left}"
                found[name] = torch.from_numpy(scene.window(top, left, side, side)[0].copy())
    if not found:
        raise InputError(f"No cube of {root} has {side} x {side} pixels: give a smaller --side.")
    return found, tuple(scenes[0].match.wavelengths)


def write_folder(
    cubes: dict[str, Tensor], wavelengths: Sequence[float], task: Degradation, folder: Path, seed: int
) -> tuple[Path, Path]:
    """Write cubes as noisy files of four formats in turn, and as clean `.npy` files by the same names.

    Returns:
        The folder of the noisy ones and that of the clean ones.
    """
    from hyperalign.seeding import generator_for

    noisy, clean = folder / "cubes", folder / "clean"
    for number, (name, cube) in enumerate(sorted(cubes.items())):
        degraded = task(cube, generator_for(seed, "table", name))
        write_cube(noisy / f"{name}{ENDINGS[number % len(ENDINGS)]}", degraded, wavelengths)
        write_cube(clean / f"{name}.npy", cube, wavelengths)
    return noisy, clean


def write_cube(path: Path, cube: Tensor, wavelengths: Sequence[float]) -> None:
    """Write a cube as its ending says; only ENVI keeps the wavelengths."""
    import numpy as np
    import tifffile
    from scipy.io import savemat

    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".img":
        write_envi(path, cube, wavelengths)
        return
    values = np.ascontiguousarray(cube.numpy())
    with replacing(path, sync=False) as file:
        if path.suffix == ".mat":
            savemat(file, {"cube": values.transpose(1, 2, 0)})
        elif path.suffix == ".tif":
            tifffile.imwrite(file, values, photometric="minisblack", planarconfig="separate")
        else:
            np.save(file, values)
