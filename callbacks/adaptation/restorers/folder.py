"""Proxies from a folder: what another program restored, paired with the observations by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from callbacks.adaptation.restorers.base import ProxyRestorer
from datamodules.scenes.normalisation import (
    CHECKPOINT,
    LARGEST,
    check_rule,
    measured,
    normalisation_of,
    reads_all_values,
)
from datamodules.scenes.readers import CubeFile, find_cubes, open_cube
from hyperalign.errors import InputError, MissingFileError
from hyperalign.files import file_states, file_stem

_CROP = re.compile(r"(.+) at (\d+), (\d+)")
"""A crop of a large cube, by the name that `datamodules.Folder` gives it."""


class FolderRestorer(ProxyRestorer):
    """Reads every observation's proxy from a file of its name.

    A scene `balloons` is read from `balloons.npy`, `balloons.mat`, `balloons.hdr`, ... or from a folder `balloons` of
    one PNG a band; a scene named `a/b` from `b` or `a_b-...`, as this project writes such names; a cube `a.npy` of a
    folder also from `a.img`, and a crop of it from the same place of the whole cube.

    Args:
        root: the folder.
        normalisation: how values come to [0, 1]: `none`, `maximum`, `minmax`, or `scale:VALUE`.
        key: name of the variable, for formats that hold several (MATLAB, HDF5, NPZ).
        axes: order of the axes as the files show them (`CHW`, `HWC`, ...), where their format does not say it.

    Raises:
        ValueError: for a normalisation that is unknown.
    """

    def __init__(self, root: str, normalisation: str = "none", key: str | None = None, axes: str | None = None) -> None:
        super().__init__()
        if check_rule(normalisation) == CHECKPOINT:
            raise InputError(
                "FolderRestorer got normalisation='checkpoint', but no checkpoint knows these files: choose none, "
                "maximum, minmax or scale:VALUE."
            )
        self.root = Path(root)
        self.normalisation = normalisation
        self.key, self.axes = key, axes
        self._served: dict[Path, str] = {}

    def restore(self, batch: Mapping[str, Any], tile: int | None = None) -> Tensor:
        """Read the cube of the batch's scene.

        Raises:
            FileNotFoundError: when there is no folder, or no file of this name.
            ValueError: when two files have this name, two scenes share a file, or the cube has other bands.
        """
        (name,) = batch["name"]
        centres = tuple(float(centre) for centre in batch["wavelengths"])
        crop = _CROP.fullmatch(name)
        file = self._open(self._served_once(crop[1] if crop else name), centres)
        if file.shape[0] != len(centres) or not _same(file.wavelengths, centres):
            raise InputError(
                f"The proxy {file.path} has other bands than the {len(centres)} of observation {name!r}: restore the "
                "bands as they were observed."
            )
        height, width = batch["observation"].shape[-2:]
        place = (int(crop[2]), int(crop[3]), height, width) if crop else (0, 0, *file.shape[1:])
        if place[0] + place[2] > file.shape[1] or place[1] + place[3] > file.shape[2]:
            raise InputError(
                f"The proxy {file.path} has {file.shape[1]} x {file.shape[2]} pixels, too few for {name!r}: "
                "restore the whole cube."
            )
        return torch.from_numpy(self._values(file, place))[None].to(self.device)

    def identity(self) -> dict[str, Any]:
        """Return name, size and time of every file, and how they are read.

        Raises:
            FileNotFoundError: when there is no folder.
        """
        return {
            "restorer": self.name,
            "files": [[path.name, *file_states(path)] for path in self._paths()],
            "normalisation": self.normalisation,
            "key": self.key,
            "axes": self.axes,
        }

    def _values(self, file: CubeFile, place: tuple[int, int, int, int]) -> NDArray[np.float32]:
        """Read a cube, or a part of it, and bring its values to [0, 1] as those of the whole cube."""
        rule = self.normalisation
        stated = measured(file, np.arange(file.shape[0]), medians=False) if reads_all_values(rule) else None
        scale = normalisation_of(rule, stated)
        values = file.complete(*place).astype(np.float32)
        values = np.ascontiguousarray((values - np.float32(scale.offset)) / np.float32(scale.scale))
        if (largest := float(np.abs(values).max())) > LARGEST:
            raise InputError(
                f"The proxy {file.path} reaches {largest:g} after the normalisation {rule!r}, where proxies lie in "
                "[0, 1]: set normalisation of FolderRestorer, for example to scale:10000."
            )
        return values

    def _paths(self) -> list[Path]:
        if not self.root.is_dir():
            raise MissingFileError(f"There is no folder {self.root}: set root of FolderRestorer to the restored cubes.")
        return find_cubes(self.root)

    def _served_once(self, name: str) -> Path:
        path = self._path(name)
        other = self._served.setdefault(path, name)
        if other != name:
            raise InputError(
                f"The proxy {path} is called like two observations, {other!r} and {name!r}: name every restored cube "
                "like its own one."
            )
        return path

    def _path(self, name: str) -> Path:
        wanted = {name, name.split("/")[-1], file_stem(name)}
        paths = self._paths()
        # The other program may have written another format.
        endless = {Path(one).stem for one in wanted}
        found = [path for path in paths if {path.name, path.stem} & wanted] or [
            path for path in paths if path.stem in endless
        ]
        if not found:
            listed = ", ".join(path.name for path in self._paths()[:5]) or "no cube"
            raise MissingFileError(
                f"No cube in {self.root} is called {file_stem(name)}, as observation {name!r} needs it; the folder "
                f"holds {listed}: name every restored cube like its observation."
            )
        if len(found) > 1:
            raise InputError(
                f"Both {found[0].name} and {found[1].name} in {self.root} could be the proxy of observation {name!r}: "
                "leave one of them."
            )
        return found[0]

    def _open(self, path: Path, centres: tuple[float, ...]) -> CubeFile:
        """Open a cube; a file that does not say its wavelengths has those of the observation."""
        try:
            return open_cube(path, key=self.key, axes=self.axes)
        except ValueError:
            return open_cube(path, key=self.key, axes=self.axes, wavelengths=centres)


def _same(own: tuple[float, ...] | None, centres: tuple[float, ...]) -> bool:
    """Whether wavelengths in nm agree within 1 nm, or are not stated."""
    return own is None or all(abs(a - b) <= 1 for a, b in zip(own, centres, strict=True))
