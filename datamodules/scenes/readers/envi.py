"""ENVI files, an image beside a text header, read by windows through a memory map."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.scenes.facts.causes import raise_true_cause
from datamodules.scenes.facts.ground import Ground, envi_ground
from datamodules.scenes.facts.missing import Missing, declared_marks
from datamodules.scenes.facts.names import bad_bands
from datamodules.scenes.readers.axes import axis_order
from datamodules.scenes.readers.centres import Centres, centres_from_user, stated_centres
from datamodules.scenes.readers.cube_file import CubeFile
from datamodules.scenes.readers.envi_header import (
    ORDERS,
    Entries,
    is_envi_header,
    layout_of,
    read_entries,
    stated_wavelengths,
)
from datamodules.scenes.readers.refusals import refuse_axes, refuse_key, refuse_objects
from hyperalign.errors import InputError, MissingFileError
from hyperalign.files import beside

_log = logging.getLogger(__name__)

IMAGE_SUFFIXES = ("", ".img", ".bsq", ".bil", ".bip", ".dat", ".raw", ".bin", ".cube")
"""Endings of an ENVI image, in the order in which they are looked for beside a header."""


class EnviCube(CubeFile):
    """An ENVI image of any interleave (BSQ, BIL, BIP), type and byte order.

    Its metadata are the entries of its header, lists in braces as they stand there. `data ignore value` marks missing
    values, `bbl` bands that are not usable.

    Args:
        path: the image, its header being `<name>.hdr` or `<stem>.hdr` beside it, in any case; or the header.
        key: must be None, as the format holds one image.
        axes: must be None, as the header says the interleave.
        wavelengths: takes the place of the header's.

    Raises:
        FileNotFoundError: if the image or its header is missing.
        ValueError: if the header is damaged or of something else than an image of real numbers, or the image is shorter
            than its header says.
    """

    def __init__(
        self,
        path: Path,
        key: str | None = None,
        *,
        axes: str | None = None,
        wavelengths: Sequence[float] | None = None,
    ) -> None:
        refuse_key(path, key, "an ENVI file holds one image")
        refuse_axes(path, axes)
        if path.suffix.lower() == ".hdr":
            path = image_of(path)
        self.header = header_of(path)
        self.entries: Entries = read_entries(self.header)
        layout = self._layout = layout_of(self.header, self.entries)
        refuse_objects(layout.dtype, path)
        if (size := path.stat().st_size) < layout.end:
            raise InputError(
                f"The ENVI file {path} of {size} bytes is truncated, as its header means {layout.end}: download it "
                "again."
            )
        given = None if wavelengths is None else centres_from_user(wavelengths, str(path))
        if given is not None:
            axis_order(layout.shape, "CHW", None, len(given), f"the ENVI image {path}")
        text = {
            name: value if isinstance(value, str) else "{" + ", ".join(value) + "}"
            for name, value in self.entries.items()
        }
        super().__init__(path, layout.shape, layout.dtype, given, text)
        self.marks = Missing(declared_marks(text.get("data ignore value")), word="data ignore value")
        flags = self.entries.get("bbl")
        self.bad_bands = bad_bands(flags if isinstance(flags, list) else None, layout.shape[0])
        if isinstance(flags, list) and len(flags) != layout.shape[0]:
            _log.warning(
                "The ENVI header %s has %d entries in bbl for %d bands: no band is taken for a bad one.",
                self.header, len(flags), layout.shape[0],
            )  # fmt: skip

    @property
    def wavelengths(self) -> tuple[float, ...] | None:
        """Centres of the bands in nm, given or from the header; None if neither says them.

        Raises:
            ValueError: as `stated_centres`.
        """
        if self._wavelengths is None and (centres := self._centres()) is not None:
            self.stated, self._wavelengths = centres, centres.nanometres
        return self._wavelengths

    @property
    def interleave(self) -> str:
        """How the bands lie in the file: `bsq`, `bil` or `bip`."""
        return self._layout.interleave

    @property
    def stated_in_header(self) -> bool:
        """Whether the header states wavelengths, though its user may have given others."""
        return stated_wavelengths(self.entries, self.shape[0]) is not None

    def ground(self) -> Ground | None:
        """Return the outline that `map info` states."""
        return envi_ground(self.entries, *self.shape[1:])

    def _centres(self) -> Centres | None:
        found = stated_wavelengths(self.entries, self.shape[0])
        return (
            None
            if found is None
            else stated_centres(found[0], self.shape[0], f"The ENVI header {self.header}", found[1])
        )

    def _read(self, rows: slice, columns: slice) -> NDArray[Any]:
        return self._mapped()[:, rows, columns]

    def _mapped(self) -> NDArray[Any]:
        layout = self._layout
        try:
            mapped: NDArray[Any] = np.memmap(self.path, layout.dtype, "r", layout.offset, layout.stored)
        except (OSError, ValueError) as error:
            raise_true_cause(self.path, error)
            raise InputError(
                f"The ENVI file {self.path} is truncated, as its header means {layout.end} bytes: download it again."
            ) from error
        return mapped.transpose(ORDERS[layout.interleave])


def header_of(path: Path) -> Path:
    """Return the header beside an ENVI image: `<name>.hdr` before `<stem>.hdr`, which may be of a neighbour.

    Raises:
        FileNotFoundError: if the image or its header is missing.
    """
    if not path.is_file():
        raise MissingFileError(f"There is no ENVI file {path}: check the path, or download it.")
    if (header := find_header(path)) is not None:
        return header
    raise MissingFileError(
        f"The ENVI file {path} has no header {path.with_suffix('.hdr').name} beside it: copy the header there, or "
        "unpack the archive again."
    )


def find_header(path: Path) -> Path | None:
    """Return the ENVI header beside a file, None if there is none; a `.hdr` of another format is none."""
    for header in (beside(path, ".hdr"), path.with_suffix(".hdr")):
        for spelled in (header, header.with_suffix(".HDR"), header.with_suffix(".Hdr")):
            if spelled != path and spelled.is_file() and is_envi_header(spelled):
                return spelled
    # A damaged header is named as what it is, rather than as missing.
    headers = (beside(path, ".hdr"), path.with_suffix(".hdr"))
    return next((header for header in headers if header != path and header.is_file()), None)


def image_of(header: Path) -> Path:
    """Return the image beside an ENVI header.

    Raises:
        FileNotFoundError: if there is none.
    """
    if not header.is_file():
        raise MissingFileError(f"There is no ENVI header {header}: check the path, or download it.")
    for suffix in IMAGE_SUFFIXES:
        for path in (header.with_suffix(suffix), header.with_suffix(suffix.upper())):
            if path.is_file():
                return path
    raise MissingFileError(
        f"The ENVI header {header} has no image {header.stem} beside it (endings tried: none, "
        f"{', '.join(IMAGE_SUFFIXES[1:])}): copy the image there, or unpack the archive again."
    )
