"""Which writer writes a cube in the format of another."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike

from datamodules.scenes.readers.cube_file import CubeFile
from datamodules.scenes.readers.envi import EnviCube
from datamodules.scenes.readers.exr import ExrCube
from datamodules.scenes.readers.hdf5 import Hdf5Cube
from datamodules.scenes.readers.mat_cube import MatCube
from datamodules.scenes.readers.numpy_file import NpyCube, NpzCube
from datamodules.scenes.readers.png_cube import PngStackCube
from datamodules.scenes.readers.tiff import TiffCube
from datamodules.scenes.writers.cube_writer import CubeWriter, Output
from datamodules.scenes.writers.hdf5 import Hdf5Writer, MatHdf5Writer
from datamodules.scenes.writers.mapped import EnviWriter, NpyWriter, TiffWriter
from datamodules.scenes.writers.spooled import ClassicMatWriter, ExrWriter, NpzWriter, PngStackWriter
from hyperalign.errors import InputError

_CLASSIC_MAT_BYTES = 1 << 31


class Writer(Protocol):
    """A class that writes a cube in the format of `original`."""

    def __call__(self, original: Any, output: Output) -> CubeWriter:  # noqa: ANN401
        """Make the file under a temporary name."""


def _mat_writer(original: MatCube, output: Output) -> CubeWriter:
    """Return the writer of the original's version, or of v7.3 where older versions cannot hold the cube."""
    large = math.prod(output.shape) * output.dtype.itemsize >= _CLASSIC_MAT_BYTES or output.dtype == np.float16
    kind: Writer = MatHdf5Writer if original.hdf5 or large else ClassicMatWriter
    return kind(original, output)


WRITERS: dict[type[CubeFile], Writer] = {
    EnviCube: EnviWriter,
    MatCube: _mat_writer,
    NpyCube: NpyWriter,
    NpzCube: NpzWriter,
    TiffCube: TiffWriter,
    ExrCube: ExrWriter,
    Hdf5Cube: Hdf5Writer,
    PngStackCube: PngStackWriter,
}
"""The writer of every reader's format; a format is added by one entry."""


def writer_for(
    original: CubeFile,
    path: Path,
    dtype: DTypeLike | None = None,
    wavelengths: Sequence[float] | None = None,
    shape: tuple[int, int, int] | None = None,
) -> CubeWriter:
    """Return a writer of a cube in the format of another, with what the other says about itself.

    ENVI, .npy, TIFF, HDF5 and MATLAB v7.3 are written by windows; the other formats are kept in a mapped file beside
    `path` and encoded in `close`. Use it as a context manager, which closes, or discards after an error.

    Args:
        original: the cube whose format, variable name, order of axes and metadata are taken over.
        path: the file (for a PNG folder the folder) to be, with the original's ending.
        dtype: type of the values; None keeps the original's.
        wavelengths: centres of the bands in nm; None keeps the original's, if the number of bands is the same.
        shape: bands, height and width; None keeps the original's height and width, with one band per wavelength. Pixel
            sizes on the ground follow the height and width.

    Raises:
        ValueError: one sentence: if `path` is the original itself, the format cannot hold the type, or the number of
            wavelengths is not the number of bands.
        OSError: one sentence, if the folder cannot be made.
    """
    if path.absolute() == original.path.absolute() or (path.exists() and path.samefile(original.path)):
        raise InputError(f"The output {path} is the input itself: name another folder for the output.")
    if shape is None:
        shape = (original.shape[0] if wavelengths is None else len(wavelengths), *original.shape[1:])
    if wavelengths is None and shape[0] == original.shape[0]:
        wavelengths = original.wavelengths
    kind = np.dtype(original.dtype if dtype is None else dtype)
    if kind == np.bool_:
        kind = np.dtype(np.uint8)
    return WRITERS[type(original)](original, Output(path, shape, kind, wavelengths))
