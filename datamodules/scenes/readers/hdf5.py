"""HDF5 and netCDF-4 files, one data set by its key, read by windows."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from datamodules.scenes.readers.axes import axis_order
from datamodules.scenes.readers.centres import centres_from_file, centres_from_user
from datamodules.scenes.readers.cube_file import CubeFile, take
from datamodules.scenes.readers.mat_cube import CENTRE_NAMES
from datamodules.scenes.readers.refusals import refuse_objects
from hyperalign.errors import InputError, MissingFileError


class Hdf5Cube(CubeFile):
    """A three-dimensional data set of an HDF5 or netCDF-4 file, of which windows are read.

    Its wavelengths are an attribute of the data set, or a data set beside it or in the root, named `wavelength(s)`,
    `wvl`, `lambda` or `center_wavelength`. Values are as stored: scale factors stay in the metadata.

    Args:
        path: the file.
        key: path of the data set, as `group/name`; None takes the only three-dimensional one.
        axes: see `datamodules.scenes.readers.axes`; None tells them from the wavelengths or the sizes.
        wavelengths: takes the place of the file's.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for a damaged file, an unknown key, or axes that cannot be told.
    """

    def __init__(
        self,
        path: Path,
        key: str | None = None,
        *,
        axes: str | None = None,
        wavelengths: Sequence[float] | None = None,
    ) -> None:
        if not path.is_file():
            raise MissingFileError(f"There is no HDF5 file {path}: check the path, or download it.")
        given = None if wavelengths is None else centres_from_user(wavelengths, str(path))
        with _opened(path) as file:
            shapes = _shapes(file)
            self.key = _chosen(path, key, shapes)
            shape, dtype = shapes[self.key], np.dtype(file[self.key].dtype)
            stated = None if given else _stated(file, self.key, shape)
            metadata = {name: _text(value) for name, value in file[self.key].attrs.items() if _is_plain(value)}
        refuse_objects(dtype, path)
        what = f"the data set {self.key!r} in {path}"
        known = given or stated
        self.order = axis_order(shape, axes, None, len(known) if known else None, what)
        centres = given
        if stated is not None:
            centres = centres_from_file(stated, shape[self.order[0]], f"The data set {self.key!r} in {path}")
        sizes = (shape[self.order[0]], shape[self.order[1]], shape[self.order[2]])
        super().__init__(path, sizes, dtype, centres, {**metadata, "key": self.key})

    def _read(self, rows: slice, columns: slice) -> NDArray[Any]:
        with _opened(self.path) as file:
            return take(file[self.key], self.order, rows, columns)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a file and turn what HDF5 answers to damage into one sentence."""
    with path.open("rb") as raw:
        start = raw.read(4)
    if start[:3] == b"CDF":
        raise InputError(
            f"The file {path} is a classic netCDF file: convert it to netCDF-4 with `nccopy -k nc4` and try again."
        )
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise InputError(_damaged(path)) from error
    with file:
        try:
            yield file
        except (OSError, RuntimeError) as error:
            raise InputError(_damaged(path)) from error


def _damaged(path: Path) -> str:
    return f"The file {path} of {path.stat().st_size} bytes is truncated or is no HDF5 file: download or save it again."


def _shapes(file: Any) -> dict[str, tuple[int, ...]]:  # noqa: ANN401
    """Shape of every numeric data set of the whole file by its path."""
    found: dict[str, tuple[int, ...]] = {}

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and np.issubdtype(item.dtype, np.number):
            found[name] = tuple(item.shape)

    file.visititems(visit)
    return found


def _chosen(path: Path, key: str | None, shapes: dict[str, tuple[int, ...]]) -> str:
    """Return the path of the data set that is meant."""
    cubes = [name for name, shape in shapes.items() if len(shape) == 3]
    if key is None and len(cubes) == 1:
        return cubes[0]
    name = None if key is None else key.strip("/")
    if name is None or name not in shapes:
        listed = ", ".join(f"{name} {shape}" for name, shape in list(shapes.items())[:8]) or "none"
        asked = "no single cube" if key is None else f"no data set {key!r}"
        raise InputError(f"The file {path} has {asked} (numeric data sets: {listed}): name one of them as the key.")
    return name


def _stated(file: Any, key: str, shape: tuple[int, ...]) -> list[float] | None:  # noqa: ANN401
    """Centres of the bands as the file states them, one per position of one of the axes."""
    group = file[key].parent
    places = [
        {name.lower(): value for name, value in file[key].attrs.items()},
        *({name.lower(): item for name, item in place.items()} for place in (group, file)),
    ]
    for place in places:
        for name in CENTRE_NAMES:
            item = place.get(name)
            if item is None or isinstance(item, h5py.Group):
                continue
            values = np.asarray(item).ravel()
            if values.size in shape and np.issubdtype(values.dtype, np.number):
                return [float(value) for value in values]
    return None


def _is_plain(value: object) -> bool:
    return isinstance(value, str | bytes) or (
        isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "iufSU"
    )


def _text(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(value.tolist() if isinstance(value, np.ndarray) else value)
