"""Cubes of formats that cannot be read in part."""

from abc import abstractmethod
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.scenes.facts.limits import check_bytes
from datamodules.scenes.readers.cube_file import CubeFile


class DecodedCube(CubeFile):
    """A cube that is decoded whole at its first window.

    The decoded cube is kept until a window of another such file is read, so tiles of one file decode it once, and a
    list of open files never holds more than one cube.
    """

    def _read(self, rows: slice, columns: slice) -> NDArray[Any]:
        check_bytes(self.path, self.shape, self.dtype, self.max_bytes, "whole")
        status = self.path.stat()
        decoded = _decoded(_Decoder(self.path, self._identity(), self._decode), status.st_mtime_ns, status.st_size)
        return decoded[:, rows, columns]

    @abstractmethod
    def _decode(self) -> NDArray[Any]:
        """Return the whole cube, `C x H x W`."""

    def _identity(self) -> tuple[object, ...]:
        """What tells this cube from others in the same file: its key and its order of axes."""
        return ()


class _Decoder:
    """A function that is equal to another if it decodes the same cube."""

    def __init__(self, path: Path, identity: tuple[object, ...], decode: Callable[[], NDArray[Any]]) -> None:
        self._key = (str(path.absolute()), identity)
        self.decode = decode

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Decoder) and other._key == self._key


@lru_cache(maxsize=1)
def _decoded(decoder: _Decoder, _modified: int, _size: int) -> NDArray[Any]:
    """Decode one cube; time and size are part of the key, so that a replaced file is decoded again."""
    array = np.asarray(decoder.decode())
    array.flags.writeable = False
    return array
