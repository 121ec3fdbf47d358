"""A cube file that is written by windows and appears under its name when it is whole."""

import errno
import os
import re
import shutil
from abc import ABCMeta, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from hyperalign.errors import FileAccessError, InputError
from hyperalign.files import put_in_place, temporary_path


@dataclass(frozen=True)
class Output:
    """The cube that is to be.

    Attributes:
        path: its file or folder.
        shape: bands, height and width.
        dtype: type of the values in the file.
        wavelengths: centres of the bands in nm, None if nobody says.
    """

    path: Path
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    wavelengths: Sequence[float] | None = None


_ERRNO = re.compile(r"errno = (\d+)")


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    """Turn what HDF5 says of a full disk, which is no OSError, into one sentence."""
    try:
        yield
    except RuntimeError as error:
        if (number := _ERRNO.search(str(error))) is None:
            raise
        raise FileAccessError(
            f"The cube {path} cannot be written ({os.strerror(int(number[1]))}): free some space, or name another "
            "folder for the output."
        ) from error


class _Discarding(ABCMeta):
    """Makes writers that leave nothing behind where they cannot be made, as on a full disk."""

    def __call__(cls, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401
        kind: Any = cls
        writer = kind.__new__(kind)
        try:
            with _telling(next((one.path for one in arguments if isinstance(one, Output)), Path())):
                writer.__init__(*arguments, **named)
        except BaseException:
            for temporary, _ in getattr(writer, "_renames", ()):
                _remove(temporary)
            raise
        return writer


class CubeWriter(metaclass=_Discarding):
    """What every writer of cubes offers; `writer_for` chooses the writer.

    Everything is written under hidden temporary names beside `path`, which get their names in `close`: a killed
    process leaves no half cube behind that looks whole. Leaving a `with` block by an error discards what was written.

    Args:
        output: the cube to be.

    Attributes:
        notes: what else the file says, as text; ENVI, TIFF and HDF5 have a place for it, other formats leave it out.

    Raises:
        ValueError: if the number of wavelengths is not the number of bands.
        OSError: one sentence, if the folder cannot be made.
    """

    def __init__(self, output: Output) -> None:
        self._renames: list[tuple[Path, Path]] = []
        path, shape, wavelengths = output.path, output.shape, output.wavelengths
        if wavelengths is not None and len(wavelengths) != shape[0]:
            raise InputError(
                f"The cube {path} gets {shape[0]} bands but {len(wavelengths)} wavelengths: give one per band."
            )
        self.path = path
        self.shape = shape
        self.dtype = output.dtype
        self.wavelengths = None if wavelengths is None else tuple(float(centre) for centre in wavelengths)
        self.notes: dict[str, str] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileAccessError(
                f"The folder {path.parent} cannot be made ({error.strerror or error}): name another folder for the "
                "output."
            ) from error

    def write(self, row: int, column: int, block: NDArray[Any]) -> None:
        """Write a window.

        Values are rounded to the nearest and cut to the range of integer types.

        Args:
            row: its first row.
            column: its first column.
            block: `C x h x w`.

        Raises:
            ValueError: if the block does not fit into the cube, or holds NaN where the file holds integers.
        """
        bands, height, width = self.shape
        fits = block.ndim == 3 and block.shape[0] == bands and min(row, column) >= 0
        if not fits or row + block.shape[1] > height or column + block.shape[2] > width:
            raise InputError(
                f"A block of {' x '.join(map(str, block.shape))} at row {row}, column {column} does not fit into the "
                f"cube {self.path} of {bands} x {height} x {width}: give all bands of a window inside it."
            )
        rows, columns = slice(row, row + block.shape[1]), slice(column, column + block.shape[2])
        with _telling(self.path):
            self._put(rows, columns, converted(block, self.dtype, self.path))

    def close(self) -> None:
        """Finish the file and give it its name, in place of any older file of that name.

        Raises:
            OSError: if the disk is full and the like; nothing is left then.
        """
        try:
            with _telling(self.path):
                self._finish()
            for temporary, final in self._renames:
                put_in_place(temporary, final)
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Remove what was written."""
        for temporary, _ in self._renames:
            _remove(temporary)

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file, or discard it after an error."""
        if error is None:
            self.close()
        else:
            self.discard()

    def _temporary(self, final: Path) -> Path:
        """Return the temporary name of a file, which `close` renames; files are renamed in the order of these calls."""
        # Not named after the file, whose name may fill what the file system allows.
        temporary = temporary_path(final.parent)
        self._renames.append((temporary, final))
        return temporary

    @abstractmethod
    def _put(self, rows: slice, columns: slice, block: NDArray[Any]) -> None:
        """Write a block of the file's own type, `C x rows x columns`."""

    @abstractmethod
    def _finish(self) -> None:
        """Write what is still open."""


class SpooledWriter(CubeWriter):
    """A cube of a format that cannot be written in part: kept in a mapped file on disk, then encoded whole.

    Args:
        output: see `CubeWriter`.
    """

    def __init__(self, output: Output) -> None:
        super().__init__(output)
        self._target = self._temporary(self.path)
        self._spool = temporary_path(self.path.parent)
        try:
            open_memmap(self._spool, "w+", self.dtype, self.shape).flush()
            take_place(self._spool)
        except BaseException:
            _remove(self._spool)
            raise

    def discard(self) -> None:
        """Remove what was written."""
        super().discard()
        _remove(self._spool)

    def _put(self, rows: slice, columns: slice, block: NDArray[Any]) -> None:
        open_memmap(self._spool, "r+")[:, rows, columns] = block

    def _finish(self) -> None:
        self._encode(open_memmap(self._spool, "r"), self._target)
        _remove(self._spool)

    @abstractmethod
    def _encode(self, cube: NDArray[Any], target: Path) -> None:
        """Write the whole cube, `C x H x W` and mapped from disk, to `target`."""


def converted(block: NDArray[Any], dtype: np.dtype[Any], path: Path) -> NDArray[Any]:
    """Return a block in the type of the file, rounded to the nearest and cut to the range of integer types.

    Raises:
        ValueError: one sentence, for NaN where the file holds integers.
    """
    if block.dtype == dtype:
        return block
    if not np.issubdtype(dtype, np.integer):
        return block.astype(dtype)
    if np.issubdtype(block.dtype, np.floating):
        if np.isnan(block).any():
            raise InputError(
                f"The cube {path} of {dtype} values cannot hold NaN, which the restored values have: choose a floating "
                "type for the output."
            )
        block = np.rint(block)
    limits = np.iinfo(dtype)
    # float64 has no 2**64 - 1, so that 64-bit integers would overflow at their own limit.
    high = np.nextafter(float(limits.max), 0) if dtype.itemsize == 8 else limits.max
    return np.clip(block.astype(np.float64, copy=False), limits.min, high).astype(dtype)


def take_place(path: Path) -> None:
    """Have a file of its full size really take its place on the disk.

    Otherwise a disk that fills up meanwhile would end the process without a word when a memory map of the file is
    written.

    Raises:
        OSError: if there is no room.
    """
    with path.open("r+b") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
        except OSError as error:
            # Not every file system can.
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                raise


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
