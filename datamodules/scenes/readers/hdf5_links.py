"""What an HDF5 file holds itself: links and storage that lead out of it are never followed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hyperalign.errors import InputError


def own_data_sets(
    group: Any,  # noqa: ANN401
    above: str = "",
    depth: int = 0,
    seen: frozenset[int] = frozenset(),
) -> Iterator[tuple[str, Any]]:
    """Iterate over every data set below a group that lies in the file itself, with its path.

    Links into other files, links that lead nowhere, and soft links (whose targets are met by their own paths) are left
    out.

    Args:
        group: an open group or file.
        above: its path, ending with a slash unless it is empty.
        depth: of the group below the root; groups nested deeper than 32 are not entered.
        seen: the groups on the way, by their places in the file: hard links may be a circle.
    """
    seen |= {_address(group)}
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        item = group.get(name)
        if isinstance(item, h5py.Dataset):
            yield above + name, item
        elif isinstance(item, h5py.Group) and depth < _DEEPEST and name != "#refs#" and _address(item) not in seen:
            yield from own_data_sets(item, f"{above}{name}/", depth + 1, seen)


_DEEPEST = 32


def _address(group: Any) -> int:  # noqa: ANN401
    """Return the place of a group in its file, which is the same whatever link led to it."""
    return int(h5py.h5o.get_info(group.id).addr)


def is_numeric(data: Any) -> bool:  # noqa: ANN401
    """Tell whether a data set holds numbers, complex ones included, which are refused by name."""
    try:
        dtype = data.dtype
    except (TypeError, ValueError):  # a type that NumPy does not have
        return False
    return bool(
        np.issubdtype(dtype, np.number) or dtype == np.bool_ or set(dtype.names or ()) in ({"real", "imag"}, {"r", "i"})
    )


def refuse_outside(path: Path, data: Any) -> None:  # noqa: ANN401
    """Refuse a data set whose values lie in other files.

    Raises:
        ValueError: one sentence that names the other file.
    """
    others = [str(name) for name, *_ in data.external or ()]
    if data.is_virtual:
        others += [source.file_name for source in data.virtual_sources() if source.file_name != "."]
    if others:
        raise OutsideError(
            f"The data set {data.name.strip('/')!r} in {path} keeps its values in another file ({others[0]}), which is "
            "never followed: save it in one piece."
        )


class OutsideError(InputError):
    """The file is sound but leads out of itself."""
