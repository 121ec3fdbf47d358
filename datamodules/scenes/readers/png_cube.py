"""Any folder with one grey PNG a band, as a cube."""

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.scenes.readers.axes import axis_order
from datamodules.scenes.readers.centres import centres_from_file, centres_from_user
from datamodules.scenes.readers.decoded import DecodedCube
from datamodules.scenes.readers.png_stack import read_pixels
from datamodules.scenes.readers.refusals import refuse_axes
from hyperalign.errors import InputError, MissingFileError

_NUMBER = re.compile(r"(\d+(?:\.\d+)?)(nm)?\.png$", re.IGNORECASE)


class PngStackCube(DecodedCube):
    """A folder of which every PNG with a number at the end of its name is a band, in the order of the numbers.

    Other files are left out. Numbers followed by `nm` are wavelengths.

    Args:
        path: the folder.
        key: start of the names of the bands, where a folder holds several cubes; None takes all.
        axes: must be None.
        wavelengths: centres of the bands in nm; None takes those in the names, if they are there.

    Raises:
        FileNotFoundError: if there is no such folder, or no PNG with a number in it.
        ValueError: if two files carry one number, numbers are left out, the first picture is damaged, or the number of
            wavelengths is another.
    """

    def __init__(
        self,
        path: Path,
        key: str | None = None,
        *,
        axes: str | None = None,
        wavelengths: Sequence[float] | None = None,
    ) -> None:
        refuse_axes(path, axes)
        if not path.is_dir():
            raise MissingFileError(f"There is no folder {path}: check the path.")
        self.files, named = _numbered(path, key)
        first = read_pixels(self.files[0])
        shape = (len(self.files), first.shape[0], first.shape[1])
        centres = None if wavelengths is None else centres_from_user(wavelengths, str(path))
        axis_order(shape, "CHW", None, len(centres) if centres else None, f"the PNG folder {path}")
        if centres is None and named:
            centres = centres_from_file(named, len(named), f"The names in {path}")
        super().__init__(path, shape, first.dtype, centres, {"files": " ".join(file.name for file in self.files)})

    def _decode(self) -> NDArray[Any]:
        cube = np.empty(self.shape, self.dtype)
        for band, file in enumerate(self.files):
            plane = read_pixels(file)
            if plane.shape != self.shape[1:]:
                raise InputError(
                    f"The picture {file} has {plane.shape[0]} x {plane.shape[1]} pixels where the first band has "
                    f"{self.shape[1]} x {self.shape[2]}: save the folder again."
                )
            if plane.dtype != self.dtype:
                raise InputError(
                    f"The picture {file} holds {plane.dtype} values where the first band has {self.dtype}: save all "
                    "bands with one depth."
                )
            cube[band] = plane
        return cube

    def _identity(self) -> tuple[object, ...]:
        # The time of a folder does not change when a picture in it is written over.
        return tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in self.files)


def is_png_stack(path: Path) -> bool:
    """Tell whether a path is a folder with at least two PNG files that differ in the number that ends their names."""
    if not path.is_dir():
        return False
    try:
        names = [entry.name for entry in path.iterdir() if not entry.name.startswith(".")]
    except OSError:
        return False
    # Numbered previews of different cubes have different starts.
    starts = [name[: match.start()] for name in names if (match := _NUMBER.search(name))]
    return len(starts) > len(set(starts))


def _numbered(folder: Path, start: str | None) -> tuple[list[Path], list[float]]:
    """Return the bands in the order of their numbers, and the numbers if all of them are wavelengths."""
    found: dict[float, Path] = {}
    units = []
    for path in sorted(folder.iterdir()):
        match = _NUMBER.search(path.name)
        if match is None or path.name.startswith(".") or not path.name.startswith(start or ""):
            continue
        number = float(match[1])
        if number in found:
            raise InputError(
                f"The folder {folder} has two pictures of band {match[1]}, {found[number].name} and {path.name}: "
                "remove the one that does not belong there, or give the start of the right names as the key."
            )
        found[number] = path
        units.append(match[2] is not None)
    if not found:
        raise MissingFileError(
            f"The folder {folder} has no PNG with a number at the end of its name"
            + (f" that starts with {start!r}" if start else "")
            + ": give a folder with one numbered grey PNG a band."
        )
    order = sorted(found)
    wavelengths = order if all(units) else []
    # Numbers may be as far apart as dates or seconds, so what lies between them is not listed.
    gap = next((int(before) + 1 for before, after in pairwise(order) if int(after) - int(before) > 1), None)
    if not wavelengths and gap is not None:
        steps = {round(after - before, 6) for before, after in pairwise(order)}
        if len(steps) > 1:
            raise InputError(
                f"The folder {folder} lacks the picture of band {gap} between {order[0]:g} and {order[-1]:g}: "
                "copy it there, or unpack the folder again."
            )
    return [found[number] for number in order], wavelengths
