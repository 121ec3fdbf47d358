"""Writers of the formats that are encoded whole: older MATLAB files, .npz, OpenEXR, folders of PNG files."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from numpy.typing import NDArray
from PIL import Image

from datamodules.scenes.readers.exr import ExrCube, exr_library
from datamodules.scenes.readers.mat import read_mat
from datamodules.scenes.readers.mat_cube import MatCube
from datamodules.scenes.readers.numpy_file import NpzCube
from datamodules.scenes.readers.png_cube import PngStackCube
from datamodules.scenes.writers.bands import arrays_beside, picked_bands
from datamodules.scenes.writers.cube_writer import Output, SpooledWriter
from hyperalign.errors import InputError

_TEXT_BYTES = 116
"""At the start of a MATLAB v5 file, for people."""


class ClassicMatWriter(SpooledWriter):
    """A MATLAB v5 file with the variable name and the order of axes of another, and `wavelengths` beside the cube.

    Args:
        original: the file whose variable is taken over.
        output: the cube to be; without wavelengths none are written.
    """

    def __init__(self, original: MatCube, output: Output) -> None:
        super().__init__(output)
        self._original = original

    def _encode(self, cube: NDArray[Any], target: Path) -> None:
        original, (bands, height, width) = self._original, self.shape
        variables: dict[str, Any] = {}
        if original.matrix:
            # MATLAB counts pixels down the columns.
            variables |= {original.key: cube.transpose(0, 2, 1).reshape(bands, -1)}
            variables |= {"nRow": float(height), "nCol": float(width), "nBand": float(bands)}
        else:
            inverse = tuple(int(axis) for axis in np.argsort(original.order))
            variables[original.key] = cube.transpose(inverse)
        beside = arrays_beside(
            original,
            self.wavelengths,
            original.centres_name,
            original.shapes,
            lambda name: read_mat(original.path, name),
        )
        variables |= {name: np.atleast_2d(array) for name, array in beside.items()}
        with target.open("xb") as file:
            scipy.io.savemat(file, _nested(variables))
            # In place of the text with the time of day, so that the same cube is the same file.
            file.seek(0)
            file.write(b"MATLAB 5.0 MAT-file, written by hyperalign".ljust(_TEXT_BYTES))


def _nested(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return `struct.field` as a field of a struct."""
    nested: dict[str, Any] = {}
    for name, value in variables.items():
        place = nested
        *above, field = name.split(".")
        for part in above:
            place = place.setdefault(part, {})
        place[field] = value
    return nested


class NpzWriter(SpooledWriter):
    """A `.npz` archive with the key and the order of axes of another, and `wavelengths` beside the cube.

    Args:
        original: the archive whose key is taken over.
        output: the cube to be; without wavelengths none are written.
    """

    def __init__(self, original: NpzCube, output: Output) -> None:
        super().__init__(output)
        self._original = original

    def _encode(self, cube: NDArray[Any], target: Path) -> None:
        inverse = tuple(int(axis) for axis in np.argsort(self._original.order))
        arrays = {self._original.key: cube.transpose(inverse)}
        original = self._original
        arrays |= arrays_beside(original, self.wavelengths, original.centres_name, original.shapes, original.array)
        with target.open("xb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)


class ExrWriter(SpooledWriter):
    """An OpenEXR file with one channel a band, named by its wavelength; its pictures (R, G, B) are left out.

    Args:
        original: the file whose channel names are taken over, if the wavelengths are the same.
        output: the cube to be, of float16, float32 or uint32; without wavelengths it keeps the original's.

    Raises:
        ValueError: for another type, or another number of bands without wavelengths.
    """

    def __init__(self, original: ExrCube, output: Output) -> None:
        super().__init__(
            output if output.wavelengths is not None else replace(output, wavelengths=original.wavelengths)
        )
        if output.dtype not in (np.float16, np.float32, np.uint32):
            raise InputError(
                f"OpenEXR files hold no {output.dtype} values ({output.path}): choose float32 for the output."
            )
        picked = picked_bands(original, output.shape[0], self.wavelengths)
        self._names = (
            tuple(f"w{centre:.10g}nm" for centre in self.wavelengths or ())
            if picked is None
            else tuple(original.channels[band] for band in picked)
        )

    def _encode(self, cube: NDArray[Any], target: Path) -> None:
        library = exr_library()
        header = {"compression": library.ZIP_COMPRESSION, "type": library.scanlineimage}
        channels = {name: np.ascontiguousarray(plane) for name, plane in zip(self._names, cube, strict=True)}
        library.File(header, channels).write(str(target))


class PngStackWriter(SpooledWriter):
    """A folder with one grey PNG a band; an older folder of the name is replaced whole.

    Args:
        original: the folder whose file names are taken over, if the number of bands is the same.
        output: the cube to be, of uint8 or uint16; its wavelengths name the files if the number of bands is another.

    Raises:
        ValueError: for another type, or another number of bands without wavelengths.
    """

    def __init__(self, original: PngStackCube, output: Output) -> None:
        path, bands = output.path, output.shape[0]
        if output.dtype not in (np.uint8, np.uint16):
            raise InputError(f"PNG files hold no {output.dtype} values ({path}): choose uint16 for the output.")
        if bands != original.shape[0] and output.wavelengths is None:
            raise InputError(
                f"The PNG folder {path} gets {bands} bands where {original.path} has {original.shape[0]}: give the "
                "wavelengths that name them."
            )
        super().__init__(output)
        self._names = [file.name for file in original.files]
        named_by_wavelength = all(name.lower().endswith("nm.png") for name in self._names)
        if self.wavelengths is not None and (
            bands != original.shape[0] or (named_by_wavelength and self.wavelengths != original.wavelengths)
        ):
            self._names = [f"{path.name}_{centre:.10g}nm.png" for centre in self.wavelengths]

    def _encode(self, cube: NDArray[Any], target: Path) -> None:
        target.mkdir()
        for name, plane in zip(self._names, cube, strict=True):
            Image.fromarray(np.ascontiguousarray(plane)).save(target / name)
