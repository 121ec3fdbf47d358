"""OpenEXR files with one channel per band, named by its wavelength, as KAIST is distributed."""

import importlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.scenes.readers.axes import axis_order
from datamodules.scenes.readers.centres import centres_from_user
from datamodules.scenes.readers.cube_file import CubeFile
from datamodules.scenes.readers.refusals import refuse_axes, refuse_key
from hyperalign.errors import InputError, MissingFileError, MissingPackageError

# A point with one digit before it ends the name of a layer, as in `S0.420,5nm`.
_BAND = re.compile(r"(\d+(?:,\d+)?|\d{2,}\.\d+)\s*nm$", re.IGNORECASE)

_TYPES = {"HALF": np.float16, "FLOAT": np.float32, "UINT": np.uint32}


def band_of_channel(name: str) -> float | None:
    """Return the wavelength in nm that a channel is named by (`w420nm`, `S0.420,5nm`), None for `R` and the like."""
    match = _BAND.search(name)
    return float(match[1].replace(",", ".")) if match else None


def exr_library() -> Any:  # noqa: ANN401
    """Return the module `OpenEXR`, imported when the first such file is met.

    Raises:
        ImportError: one sentence, if it is not installed.
    """
    try:
        return importlib.import_module("OpenEXR")
    except ImportError as error:
        raise MissingPackageError(
            "Reading .exr files needs the package OpenEXR: install it with `pip install OpenEXR`."
        ) from error


class ExrCube(CubeFile):
    """An OpenEXR file of which the channels named by wavelengths are the bands, by ascending wavelength.

    Other channels (R, G, B, alpha) are left out. Only the rows of a window are decoded.

    Args:
        path: the file.
        key: must be None: the bands are told by their names.
        axes: must be None: the format knows its rows and columns.
        wavelengths: takes the place of the wavelengths in the names, in their ascending order.

    Raises:
        FileNotFoundError: if there is no such file.
        ImportError: if OpenEXR is not installed.
        ValueError: for a damaged file, or one without channels named by wavelengths.
    """

    def __init__(
        self,
        path: Path,
        key: str | None = None,
        *,
        axes: str | None = None,
        wavelengths: Sequence[float] | None = None,
    ) -> None:
        refuse_key(path, key, "the bands of an .exr file are told by their names")
        refuse_axes(path, axes)
        if not path.is_file():
            raise MissingFileError(f"There is no OpenEXR file {path}: check the path, or download it.")
        header = _asked(path, lambda file: file.header())
        named = {name: band_of_channel(name) for name in header["channels"]}
        bands = sorted((centre, name) for name, centre in named.items() if centre is not None)
        if not bands:
            raise InputError(
                f"The OpenEXR file {path} has no channel named by its wavelength, as w420nm (channels: "
                f"{', '.join(sorted(named))}): rename its channels, or use the original file."
            )
        if len({centre for centre, _ in bands}) != len(bands):
            raise InputError(
                f"The OpenEXR file {path} has two channels of one wavelength ({', '.join(name for _, name in bands)}): "
                "remove those that do not belong to the cube."
            )
        self.channels = tuple(name for _, name in bands)
        low, high = header["dataWindow"].min, header["dataWindow"].max
        shape = (len(bands), high.y - low.y + 1, high.x - low.x + 1)
        self._first_row = int(low.y)
        kinds = {str(header["channels"][name].type) for name in self.channels}
        if len(kinds) != 1 or not kinds <= set(_TYPES):
            raise InputError(
                f"The OpenEXR file {path} mixes values of the types {', '.join(sorted(kinds))} in its bands: save it "
                "again with one type."
            )
        given = None if wavelengths is None else centres_from_user(wavelengths, str(path))
        axis_order(shape, "CHW", None, len(given) if given else None, f"the cube in {path}")
        centres = given or tuple(centre for centre, _ in bands)
        dtype = np.dtype(_TYPES[kinds.pop()])
        super().__init__(path, shape, dtype, centres, {"channels": " ".join(self.channels)})

    def _read(self, rows: slice, columns: slice) -> NDArray[Any]:
        lines = {"scanLine1": self._first_row + rows.start, "scanLine2": self._first_row + rows.stop - 1}
        planes = _asked(self.path, lambda file: file.channels(list(self.channels), **lines))
        width = self.shape[2]
        strip = [np.frombuffer(plane, self.dtype).reshape(-1, width)[:, columns] for plane in planes]
        return np.stack(strip)


def _asked(path: Path, ask: Callable[[Any], Any]) -> Any:  # noqa: ANN401
    """Open a file, ask it something and close it again."""
    library = exr_library()
    try:
        file = library.InputFile(str(path))
        try:
            return ask(file)
        finally:
            file.close()
    # The binding answers a damaged file with errors of several kinds.
    except Exception as error:
        raise InputError(
            f"The file {path} of {path.stat().st_size} bytes is truncated or is no OpenEXR file: download it again."
        ) from error
