"""Which reader opens which file: one table, and the one door that looks into it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from datamodules.scenes.readers.cube_file import CubeFile
from datamodules.scenes.readers.envi import IMAGE_SUFFIXES, EnviCube, has_header
from datamodules.scenes.readers.exr import ExrCube
from datamodules.scenes.readers.hdf5 import Hdf5Cube
from datamodules.scenes.readers.mat_cube import MatCube
from datamodules.scenes.readers.numpy_file import NpyCube, NpzCube
from datamodules.scenes.readers.png_cube import PngStackCube, is_png_stack
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
) -> CubeFile:
    """Open a cube of any format, without reading more than its header where the format allows.

    Args:
        path: a file of one of the endings in `READERS`, an ENVI image of any ending beside its header, or a folder
            with one PNG a band.
        key: name of the variable, for formats that hold several; None takes the only cube.
        axes: order of the axes as the file shows them (`CHW`, `HWC`, ...), where the format does not say it or says it
            wrongly; None trusts the format.
        wavelengths: centres of the bands in nm in the order of the file's bands; None takes the file's, if it has any.

    Raises:
        FileNotFoundError: if there is nothing at `path`, or its header is missing.
        ImportError: if the format needs a package that is not installed.
        ValueError: one sentence: for an unknown ending, a damaged file, an unknown key, axes that cannot be told or
            seem exchanged, and wavelengths that are not one per band, not sorted, or in micrometres.
    """
    path = Path(path)
    if not path.exists():
        raise MissingFileError(f"There is no file or folder {path}: check the path.")
    cube = _reader_of(path)(path, key, axes=axes, wavelengths=wavelengths)
    # Asked for here, so that a list that cannot be used is refused at the door and not in the middle of a run.
    _ = cube.wavelengths
    return cube


def find_cubes(folder: Path) -> list[Path]:
    """Return every cube of a folder by name: files of a known ending, ENVI images once, folders of PNG files.

    An ENVI image counts only with its header, and other files and hidden ones are left out.

    Raises:
        FileNotFoundError: if there is no such folder.
    """
    if not folder.is_dir():
        raise MissingFileError(f"There is no folder {folder}: check the path.")
    found = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.suffix.lower() == ".hdr":
            continue
        if is_png_stack(path) or (path.is_file() and (has_header(path) or _own_reader(path))):
            found.append(path)
    return found


def _own_reader(path: Path) -> bool:
    """Tell whether the ending alone says the format; raw images need a header as well."""
    return READERS.get(path.suffix.lower(), EnviCube) is not EnviCube


def _reader_of(path: Path) -> Reader:
    """Return the reader of a path."""
    if path.is_dir():
        return PngStackCube
    reader = READERS.get(path.suffix.lower())
    if reader is None and has_header(path):
        return EnviCube
    if reader is None:
        raise InputError(
            f"The ending of {path} belongs to no known format ({', '.join(READERS)}, or a folder of PNG files): "
            "convert it, or give an ENVI header beside it."
        )
    return reader
