"""The elements of MATLAB files of versions 5 to 7, walked over before they are decoded.

The library that decodes them looks the type of an element up without asking whether there is one, and ends its process
with a damaged one. Here every tag is looked at, and nothing but tags and sizes is read.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from hyperalign.errors import InputError

__all__ = ["check_elements"]

_HEADER, _VERSION_4 = 128, 4
_INT8, _INT32, _UINT32, _MATRIX, _COMPRESSED = 1, 5, 6, 14, 15
_NUMBERS = {1, 2, 3, 4, 5, 6, 7, 9, 12, 13}
_TEXT = {1, 2, 3, 4, 5, 6, 16, 17, 18}
_CELL, _STRUCT, _OBJECT, _CHARACTERS, _SPARSE = 1, 2, 3, 4, 5
_NUMERIC = range(6, 16)
_COMPLEX = 0x0800
_MOST_AXES, _LONGEST_TEXT, _DEEPEST = 32, 1 << 20, 32
_PART = 1 << 20

Order = Literal["little", "big"]


class _Source(Protocol):
    """Bytes that are read one after another."""

    def take(self, count: int) -> bytes:
        """Return so many bytes."""

    def skip(self, count: int) -> None:
        """Leave so many bytes out."""


class _Stored:
    """A part of a file."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.left = file, size

    def take(self, count: int) -> bytes:
        self._spend(count)
        data = self.file.read(count)
        if len(data) < count:
            raise _damage("it ends early")
        return data

    def skip(self, count: int) -> None:
        self._spend(count)
        self.file.seek(count, 1)

    def _spend(self, count: int) -> None:
        if not 0 <= count <= self.left:
            raise _damage("an element is longer than what it lies in")
        self.left -= count


class _Inflated:
    """What a compressed part of a file holds, unpacked as far as it is asked for."""

    def __init__(self, packed: _Stored) -> None:
        self.packed, self.unpacker, self.ready = packed, zlib.decompressobj(), b""

    def take(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            data += self._more(count - len(data))
        return bytes(data)

    def skip(self, count: int) -> None:
        while count > 0:
            count -= len(self._more(min(count, _PART)))

    def _more(self, count: int) -> bytes:
        packed = self.ready or self.packed.take(min(self.packed.left, 4096))
        data = self.unpacker.decompress(packed, count)
        self.ready = self.unpacker.unconsumed_tail
        if not data and not self.ready and (self.unpacker.eof or not self.packed.left):
            raise _damage("a compressed element ends early")
        return data


def check_elements(path: Path) -> None:
    """Make sure that every array of a file says a type and sizes that there are, as far as they can be decoded.

    Args:
        path: a MATLAB file of a version before v7.3; the elements of version 4 have no types, and are left alone.

    Raises:
        InputError: for an element of no known type, or one that does not fit into what it lies in.
        OSError: if the file cannot be read.
        zlib.error: for damaged compressed elements.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        header = file.read(_HEADER)
        if len(header) < _HEADER or 0 in header[:_VERSION_4]:
            return
        order: Order = "little" if header[126:128] == b"IM" else "big"
        while (left := size - file.tell()) >= 8:
            kind, count = _tag(file.read(8), order)
            start = file.tell()
            if count > left - 8:
                raise _damage("it ends early")
            part = _Stored(file, count)
            if kind == _COMPRESSED:
                inflated = _Inflated(part)
                kind, _ = _tag(inflated.take(8), order)
                _check_matrix(inflated, order, kind)
            else:
                _check_matrix(part, order, kind)
            file.seek(start + count)


def _check_matrix(source: _Source, order: Order, kind: int, depth: int = 0) -> None:
    """Walk over the elements of one array."""
    if kind != _MATRIX or depth > _DEEPEST:
        raise _damage(f"an element of type {kind} stands where an array is expected")
    flags = _plain(source, order, {_UINT32}, 8)
    if len(flags) != 8:
        raise _damage("an array has no flags")
    word = int.from_bytes(flags[:4], order)
    group, is_complex = word & 0xFF, bool(word & _COMPLEX)
    if group not in (*range(1, 16), 16, 17):
        raise _damage(f"an array is of class {group}")
    if group > max(_NUMERIC):
        return  # functions and objects of newer kinds, which are never decoded
    sizes = _plain(source, order, {_INT32}, 4 * _MOST_AXES)
    axes = [int.from_bytes(sizes[at : at + 4], order, signed=True) for at in range(0, len(sizes), 4)]
    if len(sizes) % 4 or len(axes) < 2 or min(axes) < 0:
        raise _damage("an array has impossible sizes")
    _plain(source, order, {_INT8, 2, 16}, _LONGEST_TEXT)
    if group in _NUMERIC or group in (_SPARSE, _CHARACTERS):
        parts = (2 if group == _SPARSE else 0) + 1 + is_complex
        for _ in range(parts):
            _pass(source, order, _TEXT if group == _CHARACTERS else _NUMBERS)
        return
    count = 1
    for axis in axes:
        count *= axis
    if group != _CELL:
        count *= _fields(source, order, group)
    for _ in range(count):
        kind, size = _tag(source.take(8), order)
        if size:  # an empty field is an array of no bytes
            _check_matrix(source, order, kind, depth + 1)


def _fields(source: _Source, order: Order, group: int) -> int:
    """Pass the names of a struct's fields and return how many there are."""
    if group == _OBJECT:
        _plain(source, order, {_INT8, 2, 16}, _LONGEST_TEXT)
    longest = int.from_bytes(_plain(source, order, {_INT32}, 4), order, signed=True)
    names = _plain(source, order, {_INT8, 2, 16}, _LONGEST_TEXT)
    if longest < 1 or len(names) % longest:
        raise _damage("the names of a struct's fields are cut")
    return len(names) // longest


def _tag(data: bytes, order: Order) -> tuple[int, int]:
    """Return type and size of an element of eight bytes and more."""
    return int.from_bytes(data[:4], order), int.from_bytes(data[4:8], order)


def _opened(source: _Source, order: Order, kinds: set[int]) -> tuple[bytes, int, int]:
    """Read a tag; return what of its data stands in it, what follows, and the padding up to eight bytes."""
    head = source.take(4)
    kind = int.from_bytes(head, order)
    if small := kind >> 16:
        kind &= 0xFFFF
        rest = source.take(4)
        if small > 4:
            raise _damage("a short element is too long")
        data, left, padding = rest[:small], 0, 0
    else:
        left = int.from_bytes(source.take(4), order)
        data, padding = b"", -left % 8
    if kind not in kinds:
        raise _damage(f"an element is of type {kind}")
    return data, left, padding


def _plain(source: _Source, order: Order, kinds: set[int], most: int) -> bytes:
    """Read a whole element that must be short."""
    data, left, padding = _opened(source, order, kinds)
    if left > most:
        raise _damage("an element is too long")
    data += source.take(left)
    source.skip(padding)
    return data


def _pass(source: _Source, order: Order, kinds: set[int]) -> None:
    """Look at an element's tag and leave its data out; the last one of a file may lack its padding."""
    _, left, padding = _opened(source, order, kinds)
    source.skip(left)
    if not isinstance(source, _Stored) or source.left >= padding:
        source.skip(padding)


def _damage(what: str) -> InputError:
    return InputError(f"The file is damaged, as {what}: save it again.")
