"""The caller's side of the process that decodes OpenEXR files."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datamodules.scenes.facts.causes import raise_true_cause
from datamodules.scenes.readers.helper_process import HelperEndedError, ask_helper
from hyperalign.errors import InputError, MissingPackageError

_DECODER = Path(__file__).with_name("exr_decoder.py")


class DamagedExrError(InputError):
    """The library refused a file, ended with it, or did not come to an end."""


def ask_decoder(
    path: Path, channels: Sequence[str] = (), first: int = 0, last: int = 0
) -> tuple[dict[str, Any], list[bytes]]:
    """Return what the library says of a file, decoded in a process of its own.

    Args:
        path: the file.
        channels: the channels to decode; none asks for the header.
        first: first row in the file's own count.
        last: last row.

    Returns:
        The header, and the values of every channel.

    Raises:
        ImportError: one sentence, if OpenEXR is not installed.
        OSError: one sentence, if the file or the process cannot be opened.
        DamagedExrError: if the library refuses the file, or ends or hangs with it.
    """
    if importlib.util.find_spec("OpenEXR") is None:
        raise MissingPackageError(
            "Reading .exr files needs the package OpenEXR: install it with `pip install OpenEXR`."
        )
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise_true_cause(path, error)
        raise
    try:
        head, planes = ask_helper(_DECODER, path, (str(path.absolute()), list(channels), first, last))
    except HelperEndedError as error:
        raise DamagedExrError(str(error)) from error
    if "error" in head:
        raise DamagedExrError(str(head["error"]))
    return head, planes
