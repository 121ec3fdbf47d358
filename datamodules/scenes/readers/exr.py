"""OpenEXR files with one channel per band, named by its wavelength, as KAIST is distributed."""

import importlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.scenes.readers.axes import axis_order
from datamodules.scenes.readers.centres import centres_from_user
from datamodules.scenes.readers.cube_file import CubeFile
from datamodules.scenes.readers.exr_process import DamagedExrError, ask_decoder
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

    Other channels (R, G, B, alpha) are left out. Only the rows of a window are decoded, in a process of its own: the
    library ends its process with some damaged files.

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
        header = _asked(path)[0]
        kinds_of, window = header["channels"], header["window"]
        named = {name: band_of_channel(name) for name in kinds_of}
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
        shape = (len(bands), window[3] - window[1] + 1, window[2] - window[0] + 1)
        self._first_row = int(window[1])
        kinds = {kinds_of[name] for name in self.channels}
        if header["sampled"]:
            raise InputError(f"The OpenEXR file {path} has channels of reduced size: save it with all pixels of each.")
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
        first, last = self._first_row + rows.start, self._first_row + rows.stop - 1
        width, count = self.shape[2], rows.stop - rows.start
        _, planes = _asked(self.path, self.channels, first, last)
        if any(len(plane) != width * count * self.dtype.itemsize for plane in planes):
            raise _damaged(self.path)
        strip = [np.frombuffer(plane, self.dtype).reshape(count, width)[:, columns] for plane in planes]
        return np.stack(strip)


def _asked(
    path: Path, channels: Sequence[str] = (), first: int = 0, last: int = 0
) -> tuple[dict[str, Any], list[bytes]]:
    """Ask the decoder, and turn damage into one sentence."""
    try:
        return ask_decoder(path, channels, first, last)
    except DamagedExrError as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> ValueError:
    size = path.stat().st_size
    return InputError(f"The file {path} of {size} bytes is truncated or is no OpenEXR file: download it again.")
