"""Training cubes from a folder: whatever an external generator of hyperspectral images wrote (HIR-ALIGN, Table IX)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from callbacks.generators.base import CubeGenerator, CubeRequest
from datamodules.scenes.band_matching import BandMatch, BandRule, band_centres, match_bands
from datamodules.scenes.normalisation import (
    CHECKPOINT,
    check_rule,
    measured,
    normalisation_of,
    reads_all_values,
)
from datamodules.scenes.readers import READERS, CubeFile, check_depth, find_cubes, open_cube
from hyperalign.errors import InputError, MissingFileError
from hyperalign.files import file_states
from hyperalign.seeding import generator_for

OVERSHOOT = 0.05
"""Generators leave [0, 1] by a little, which is clamped; cubes that leave it farther are on another scale."""

REVISION = 1
"""Raised whenever cubes of unchanged files and settings would come out differently."""

_REMEDIES = {
    "refuse": "set its bands to select (the nearest band for each of the target's) or to interpolate (linearly)",
    "select": "set its bands to interpolate, or generate cubes with bands nearer to the target's",
    "interpolate": "generate cubes that cover the target's range",
}


class ExternalCubes(CubeGenerator):
    """Generated cubes of any format that `datamodules.scenes.readers` opens, one after another, in random order.

    Every cube of the folder is taken once, in an order drawn from the adaptation's seed, before any is taken again;
    each pass over the folder has an order of its own. Cubes whose bands are the target's within 1 nm are taken as they
    are, others as `bands` says; nothing is matched by number. No band is made up: a cube that does not reach the
    target's outermost bands is refused, since it would teach spectra that nothing generated.

    Args:
        root: the folder; its subfolders of one PNG a band count as cubes, others are left out.
        bands: what to do with other bands: `refuse`; `select` the nearest band for each of the target's; or
            `interpolate` linearly between neighbours (see `datamodules.scenes.band_matching.match_bands`).
        size: side of a square window cut at a random place from every cube, in pixels; None takes cubes whole.
        normalisation: how a cube's values come to [0, 1]: `none`; `maximum` of the cube; `minmax` of the cube; or
            `scale:VALUE`, for example `scale:10000`. Values outside by at most 0.05 are then clamped, others refused.
        key: name of the variable, for formats that hold several (MATLAB, HDF5, NPZ); None takes the only cube.
        axes: order of the axes as the files show them (`CHW`, `HWC`, ...), where their format does not say it.
        wavelengths: centres of the bands in nm of those cubes that do not say them: a list, or `FIRST:LAST:COUNT`.

    Raises:
        ValueError: for a setting that is unknown.
    """

    def __init__(
        self,
        root: str,
        bands: BandRule = "refuse",
        size: int | None = None,
        normalisation: str = "none",
        key: str | None = None,
        axes: str | None = None,
        wavelengths: list[float] | str | None = None,
    ) -> None:
        if bands not in get_args(BandRule):
            raise InputError(f"ExternalCubes got bands={bands!r}: choose one of {', '.join(get_args(BandRule))}.")
        if size is not None and size < 1:
            raise InputError(f"ExternalCubes got size={size}: give at least 1 pixel, or null for whole cubes.")
        if check_rule(normalisation) == CHECKPOINT:
            raise InputError(
                "ExternalCubes got normalisation='checkpoint', but no checkpoint knows generated files: choose none, "
                "maximum, minmax or scale:VALUE."
            )
        self.root = Path(root)
        self.bands, self.size, self.normalisation = bands, size, normalisation
        self.key, self.axes = key, axes
        given = None if wavelengths is None else band_centres(wavelengths, "wavelengths of ExternalCubes")
        self.wavelengths: tuple[float, ...] | None = given
        self._opened: tuple[tuple[float, ...], list[tuple[CubeFile, BandMatch]]] | None = None

    def paths(self) -> list[Path]:
        """Return the cubes by name, without opening them.

        Raises:
            FileNotFoundError: if there is no such folder, or no cube in it.
        """
        if not self.root.is_dir():
            raise MissingFileError(
                f"There is no folder {self.root}: set root of ExternalCubes to the folder of the generated cubes."
            )
        if found := find_cubes(self.root):
            return found
        listed = ", ".join(sorted(entry.name for entry in self.root.iterdir())[:5]) or "nothing"
        endings = ", ".join(ending for ending in READERS if ending not in ("", ".hdr"))
        raise MissingFileError(
            f"No cube is in {self.root}, which holds {listed}; looked for files ending in {endings}, ENVI images with "
            "a header and folders of PNG files: set root of ExternalCubes to the folder of the generated cubes."
        )

    def files(self) -> list[Path]:
        """Return every file that the cubes are read from.

        Raises:
            FileNotFoundError: as `paths`.
        """
        paths = self.paths()
        return [file for path in paths for file in (sorted(path.iterdir()) if path.is_dir() else [path])]

    def __call__(self, request: CubeRequest) -> Tensor:
        """Read the request's cube; the first call opens all files, so that a wrong one is refused before any work.

        Returns:
            C x H' x W' in [0, 1], float32, on the proxy's device; H' = W' = `size` if that was given.

        Raises:
            FileNotFoundError: if there is no cube.
            ValueError: one sentence, for a cube that is damaged, has no wavelengths or other bands, is smaller than
                `size`, or holds values that are not finite or not in [0, 1].
        """
        opened = self._matched(tuple(request.wavelengths))
        passed, place = divmod(request.number, len(opened))
        order = torch.randperm(len(opened), generator=generator_for(request.seed, "external cubes", passed))
        file, match = opened[int(order[place])]
        values = self._values(file, match, *self._window(file, request.generator))
        return torch.from_numpy(values).to(request.proxy.device)

    def settings(self) -> dict[str, Any]:
        """Return everything that determines the cubes: name, size and time of every file, and how the files are read.

        Raises:
            FileNotFoundError: if there is no cube.
        """
        return {
            "class": type(self).__name__,
            "revision": REVISION,
            # Reading terabytes for digests would take longer than the stage; tools that write a file change its time.
            "files": [[path.name, *file_states(path)] for path in self.paths()],
            "bands": self.bands,
            "size": self.size,
            "normalisation": self.normalisation,
            "key": self.key,
            "axes": self.axes,
            "wavelengths": None if self.wavelengths is None else list(self.wavelengths),
        }

    def _matched(self, wanted: tuple[float, ...]) -> list[tuple[CubeFile, BandMatch]]:
        """Return the open files with their bands matched to the target's; open files hold no values."""
        if self._opened is None or self._opened[0] != wanted:
            self._opened = (wanted, [self._match(self._open(path), wanted) for path in self.paths()])
        return self._opened[1]

    def _open(self, path: Path) -> CubeFile:
        """Open a cube; the given wavelengths are for files without, which then may need them to tell their axes."""
        try:
            file = open_cube(path, key=self.key, axes=self.axes)
        except ValueError:
            if self.wavelengths is None:
                raise
        else:
            if self.wavelengths is None or file.wavelengths is not None:
                return file
        return open_cube(path, key=self.key, axes=self.axes, wavelengths=self.wavelengths)

    def _match(self, file: CubeFile, wanted: tuple[float, ...]) -> tuple[CubeFile, BandMatch]:
        bands, _, _ = file.shape
        own = file.wavelengths
        if own is None:
            raise InputError(
                f"The generated cube {file.path} does not say its wavelengths: give ExternalCubes wavelengths, the "
                f"centres of its {bands} bands in nm, as a list or as FIRST:LAST:COUNT."
            )
        try:
            match = match_bands(own, wanted, self.bands, f"The generated cube {file.path}")
        except ValueError as error:
            raise InputError(self._refusal(file, own, wanted)) from error
        if match.held:
            raise InputError(self._refusal(file, own, wanted))
        if self.normalisation.startswith("scale:"):
            check_depth(file, normalisation_of(self.normalisation, None).white)
        return file, match

    def _refusal(self, file: CubeFile, own: Sequence[float], wanted: Sequence[float]) -> str:
        have, want = (f"{len(one)} bands from {min(one):g} to {max(one):g} nm" for one in (own, wanted))
        return (
            f"The generated cube {file.path} has {have}, which do not give the target's {want} under ExternalCubes' "
            f"bands={self.bands!r}: {_REMEDIES[self.bands]}."
        )

    def _window(self, file: CubeFile, generator: torch.Generator) -> tuple[int, int, int, int]:
        """Return row, column, height and width of the part that is taken."""
        _, height, width = file.shape
        if self.size is None:
            return 0, 0, height, width
        if min(height, width) < self.size:
            raise InputError(
                f"The generated cube {file.path} of {height} x {width} pixels is smaller than the window of "
                f"{self.size} x {self.size}: reduce size of ExternalCubes, or leave the cube out."
            )
        row = int(torch.randint(height - self.size + 1, (), generator=generator))
        column = int(torch.randint(width - self.size + 1, (), generator=generator))
        return row, column, self.size, self.size

    def _values(
        self, file: CubeFile, match: BandMatch, row: int, column: int, height: int, width: int
    ) -> NDArray[np.float32]:
        rule = self.normalisation
        scale = normalisation_of(rule, measured(file, match.used, medians=False) if reads_all_values(rule) else None)
        # Bands that nothing is taken from are left out: they may hold anything.
        stored = file.window(row, column, height, width)[match.used]
        if (lacking := file.missing(row, column, stored)) is not None:
            raise InputError(
                f"The generated cube {file.path} holds missing values ({file.marks.shown(stored[lacking])}): repair "
                "it, or leave it out."
            )
        values = stored.astype(np.float32)
        values = (values - np.float32(scale.offset)) / np.float32(scale.scale)
        matched = BandMatch(match.weights[:, match.used], match.kept, match.wavelengths).apply(values)
        low, high = float(matched.min()), float(matched.max())
        if low < -OVERSHOOT or high > 1 + OVERSHOOT:
            raise InputError(
                f"The generated cube {file.path} reaches from {low:g} to {high:g} under the normalisation {rule!r}, "
                "where training expects [0, 1]: set normalisation of ExternalCubes to maximum, minmax or scale:VALUE."
            )
        return np.ascontiguousarray(matched.clip(0.0, 1.0))
