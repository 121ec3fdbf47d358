"""Which reader opens which file: one table, and the one door that looks into it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from datamodules.scenes.facts.causes import raise_true_cause
from datamodules.scenes.facts.limits import MAX_BYTES
from datamodules.scenes.readers.cube_file import CubeFile
from datamodules.scenes.readers.envi import IMAGE_SUFFIXES, EnviCube, find_header
from datamodules.scenes.readers.exr import ExrCube
from datamodules.scenes.readers.hdf5 import Hdf5Cube
from datamodules.scenes.readers.mat_cube import MatCube
from datamodules.scenes.readers.numpy_file import NpyCube, NpzCube
from datamodules.scenes.readers.png_cube import PngStackCube
from datamodules.scenes.readers.tiff import TiffCube
from hyperalign.errors import InputError, MissingFileError


class Reader(Protocol):
    """A class that opens a cube."""

    def __call__(
        self,
        path: Path,
        key: str | None = None,
        *,
        axes: str | None = None,
        wavelengths: Sequence[float] | None = None,
    ) -> CubeFile:
        """Open a cube without reading it."""


READERS: dict[str, Reader] = {
    ".mat": MatCube,
    ".npy": NpyCube,
    ".npz": NpzCube,
    ".tif": TiffCube,
    ".tiff": TiffCube,
    ".exr": ExrCube,
    ".h5": Hdf5Cube,
    ".hdf5": Hdf5Cube,
    ".he5": Hdf5Cube,
    ".nc": Hdf5Cube,
    ".nc4": Hdf5Cube,
    ".hdr": EnviCube,
    **{suffix: EnviCube for suffix in IMAGE_SUFFIXES if suffix},
}
"""The reader of every ending, in lower case; a format is added by one entry. Folders of PNG files have none."""


def open_cube(
    path: Path | str,
    *,
    key: str | None = None,
    axes: str | None = None,
    wavelengths: Sequence[float] | None = None,
    missing: Sequence[float] | None = None,
    max_bytes: int = MAX_BYTES,
) -> CubeFile:
    """Open a cube of any format, without reading more than its header where the format allows.

    Args:
        path: a file of one of the endings in `READERS`, an ENVI image of any ending beside its header, or a folder
            with one PNG a band.
        key: name of the variable, for formats that hold several; None takes the only cube.
        axes: order of the axes as the file shows them (`CHW`, `HWC`, ...), where the format does not say it or says it
            wrongly; None trusts the format.
        wavelengths: centres of the bands in nm in the order of the file's bands; None takes the file's, if it has any.
        missing: values that mean that nothing was measured, beside those that the file declares; None takes the usual
            ones (`datamodules.scenes.facts.missing.USUAL_MARKS`).
        max_bytes: bytes that one window, or the whole cube where it must be decoded whole, may take in memory; small
            files can claim to be very large.

    Raises:
        FileNotFoundError: if there is nothing at `path`, or its header is missing.
        ImportError: if the format needs a package that is not installed.
        ValueError: one sentence: for an unknown ending, a damaged file, an unknown key, axes that cannot be told or
            seem exchanged, and wavelengths that are not one per band, not sorted, or in micrometres.
    """
    path = Path(path)
    if not path.exists():
        raise MissingFileError(f"There is no file or folder {path}: check the path.")
    try:
        cube = _reader_of(path)(path, key, axes=axes, wavelengths=wavelengths)
    except OSError as error:
        raise_true_cause(path, error)
        raise
    cube.max_bytes = max_bytes
    if missing is not None:
        marks = cube.marks
        cube.marks = replace(marks, declared=tuple(dict.fromkeys((*marks.declared, *missing))), usual=())
    # Asked for here, so that a list that cannot be used is refused at the door and not in the middle of a run.
    _ = cube.wavelengths
    return cube


def _reader_of(path: Path) -> Reader:
    """Return the reader of a path."""
    if path.is_dir():
        return PngStackCube
    reader = READERS.get(path.suffix.lower())
    if reader is None and path.is_file() and find_header(path) is not None:
        return EnviCube
    if reader is None:
        raise InputError(
            f"The ending of {path} belongs to no known format ({', '.join(READERS)}, or a folder of PNG files): "
            "convert it, or give an ENVI header beside it."
        )
    return reader
