"""ENVI files, an image beside a text header, read by windows through a memory map."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.scenes.readers.axes import axis_order
from datamodules.scenes.readers.centres import centres_from_file, centres_from_user
from datamodules.scenes.readers.cube_file import CubeFile, largest_finite
from datamodules.scenes.readers.refusals import refuse_axes, refuse_key
from hyperalign.errors import InputError, MissingFileError

IMAGE_SUFFIXES = ("", ".img", ".bsq", ".bil", ".bip", ".dat", ".raw", ".bin", ".cube")
"""Endings of an ENVI image, in the order in which they are looked for beside a header."""


class EnviCube(CubeFile):
    """An ENVI image of any interleave (BSQ, BIL, BIP), type and byte order.

    Its metadata are the entries of its header, lists in braces as they stand there.

    Args:
        path: the image, its header being `<stem>.hdr` or `<name>.hdr` beside it; or the header.
        key: must be None, as the format holds one image.
        axes: must be None, as the header says the interleave.
        wavelengths: takes the place of the header's.

    Raises:
        FileNotFoundError: if the image or its header is missing.
        ValueError: if the header is damaged, or the image is shorter than its header says.
    """

    def __init__(
        self,
        path: Path,
        key: str | None = None,
        *,
        axes: str | None = None,
        wavelengths: Sequence[float] | None = None,
    ) -> None:
        # The package imports its plots along with its file formats, half a second that only ENVI files are worth.
        from spectral.io import envi  # type: ignore[import-untyped]
        from spectral.utilities.errors import SpyException  # type: ignore[import-untyped]

        refuse_key(path, key, "an ENVI file holds one image")
        refuse_axes(path, axes)
        if path.suffix.lower() == ".hdr":
            path = image_of(path)
        self.header = header_of(path)
        try:
            image = envi.open(str(self.header.resolve()), str(path.resolve()))
            shape = (int(image.nbands), int(image.nrows), int(image.ncols))
            dtype = np.dtype(image.dtype)
            needed = int(image.offset) + int(np.prod(shape)) * dtype.itemsize
            self.entries: dict[str, str | list[str]] = dict(image.metadata)
        except (SpyException, KeyError, ValueError, TypeError, AttributeError, OSError) as error:
            raise InputError(
                f"The ENVI header {self.header} is damaged or describes no image: download it again."
            ) from error
        if (size := path.stat().st_size) < needed:
            raise InputError(
                f"The ENVI file {path} of {size} bytes is truncated, as its header means {needed}: download it again."
            )
        given = None if wavelengths is None else centres_from_user(wavelengths, str(path))
        if given is not None:
            axis_order(shape, "CHW", None, len(given), f"the ENVI image {path}")
        super().__init__(path, shape, dtype, given, _as_text(self.entries))
        self._image = image

    @property
    def wavelengths(self) -> tuple[float, ...] | None:
        """Centres of the bands in nm, given or from the header; None if neither says them.

        Raises:
            ValueError: as `centres_from_file`.
        """
        stated = self.entries.get("wavelength")
        if self._wavelengths is not None or stated is None:
            return self._wavelengths
        return centres_from_file(stated, self.shape[0], f"The ENVI header {self.header}")

    def maximum(self, row: int, column: int, height: int, width: int) -> float:
        """Return the largest finite value in a window, reading it band by band."""
        self._check_window(row, column, height, width)
        mapped = self._mapped()
        return max(
            largest_finite(mapped[band, row : row + height, column : column + width]) for band in range(self._shape[0])
        )

    def _read(self, rows: slice, columns: slice) -> NDArray[Any]:
        return self._mapped()[:, rows, columns]

    def _mapped(self) -> NDArray[Any]:
        mapped: NDArray[Any] = self._image.open_memmap(interleave="bsq")
        return mapped


def header_of(path: Path) -> Path:
    """Return the header beside an ENVI image.

    Raises:
        FileNotFoundError: if the image or its header is missing.
    """
    if not path.is_file():
        raise MissingFileError(f"There is no ENVI file {path}: check the path, or download it.")
    for header in _headers(path):
        if header.is_file():
            return header
    raise MissingFileError(
        f"The ENVI file {path} has no header {path.with_suffix('.hdr').name} beside it: copy the header there, or "
        "unpack the archive again."
    )


def has_header(path: Path) -> bool:
    """Tell whether a file has an ENVI header beside it."""
    return any(header.is_file() for header in _headers(path))


def _headers(path: Path) -> tuple[Path, Path]:
    return path.with_suffix(".hdr"), path.with_name(f"{path.name}.hdr")


def image_of(header: Path) -> Path:
    """Return the image beside an ENVI header.

    Raises:
        FileNotFoundError: if there is none.
    """
    for suffix in IMAGE_SUFFIXES:
        for path in (header.with_suffix(suffix), header.with_suffix(suffix.upper())):
            if path.is_file():
                return path
    raise MissingFileError(
        f"The ENVI header {header} has no image {header.stem} beside it (endings tried: none, "
        f"{', '.join(IMAGE_SUFFIXES[1:])}): copy the image there, or unpack the archive again."
    )


def _as_text(entries: Mapping[str, str | list[str]]) -> dict[str, str]:
    """Entries of a header as text."""
    return {
        name: value if isinstance(value, str) else "{" + ", ".join(map(str, value)) + "}"
        for name, value in entries.items()
    }
