"""ENVI files, an image beside a text header, read by windows through a memory map."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.scenes.readers.cube_file import largest_finite


class EnviCube:
    """An ENVI image of any interleave (BSQ, BIL, BIP), type and byte order.

    Args:
        path: the image; its header is `<stem>.hdr` or `<name>.hdr` beside it.

    Raises:
        FileNotFoundError: if the image or its header is missing.
        ValueError: if the header is damaged, or the image is shorter than its header says.
    """

    def __init__(self, path: Path) -> None:
        # The package imports its plots along with its file formats, half a second that only ENVI files are worth.
        from spectral.io import envi  # type: ignore[import-untyped]
        from spectral.utilities.errors import SpyException  # type: ignore[import-untyped]

        self.path = path
        self.header = header_of(path)
        try:
            image = envi.open(str(self.header.resolve()), str(path.resolve()))
            shape = (int(image.nbands), int(image.nrows), int(image.ncols))
            needed = int(image.offset) + int(np.prod(shape)) * np.dtype(image.dtype).itemsize
            self._wavelengths = image.metadata.get("wavelength")
        except (SpyException, KeyError, ValueError, TypeError, AttributeError, OSError) as error:
            raise ValueError(
                f"The ENVI header {self.header} is damaged or describes no image: download it again."
            ) from error
        if (size := path.stat().st_size) < needed:
            raise ValueError(
                f"The ENVI file {path} of {size} bytes is truncated, as its header means {needed}: download it again."
            )
        self._image = image
        self._shape = shape

    @property
    def shape(self) -> tuple[int, int, int]:
        """Bands, height and width, from the header."""
        return self._shape

    @property
    def wavelengths(self) -> tuple[float, ...] | None:
        """Centres of the bands in nm, None if the header has none.

        The unit is told by the numbers and not by the header's word for it, which is often missing or `Unknown`:
        centres below 100 are micrometres.

        Raises:
            ValueError: if they are no numbers or not one per band.
        """
        if self._wavelengths is None:
            return None
        try:
            centres = [float(centre) for centre in self._wavelengths]
        except (TypeError, ValueError):
            centres = []
        if len(centres) != self._shape[0]:
            raise ValueError(
                f"The ENVI header {self.header} has no wavelength for each of its {self._shape[0]} bands: "
                "repair the header, or download it again."
            )
        factor = 1000.0 if max(centres) < 100 else 1.0
        # Rounded, so that 0.55 and 550 come out as the same number.
        return tuple(round(centre * factor, 6) for centre in centres)

    def window(self, row: int, column: int, height: int, width: int) -> NDArray[Any]:
        """Return all bands of a window, `C x height x width`, in the file's own type."""
        window: NDArray[Any] = self._mapped()[:, row : row + height, column : column + width]
        return np.array(window, dtype=window.dtype.newbyteorder("="), order="C")

    def maximum(self, row: int, column: int, height: int, width: int) -> float:
        """Return the largest finite value in a window, reading it band by band."""
        mapped = self._mapped()
        return max(
            largest_finite(mapped[band, row : row + height, column : column + width]) for band in range(self._shape[0])
        )

    def _mapped(self) -> NDArray[Any]:
        mapped: NDArray[Any] = self._image.open_memmap(interleave="bsq")
        return mapped


def header_of(path: Path) -> Path:
    """Return the header beside an ENVI image.

    Raises:
        FileNotFoundError: if the image or its header is missing.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no ENVI file {path}: check the path, or download it.")
    for header in (path.with_suffix(".hdr"), path.with_name(f"{path.name}.hdr")):
        if header.is_file():
            return header
    raise FileNotFoundError(
        f"The ENVI file {path} has no header {path.with_suffix('.hdr').name} beside it: copy the header there, or "
        "unpack the archive again."
    )
