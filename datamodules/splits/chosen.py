"""Scenes that are asked for by name, by pattern or as a share of all."""

import fnmatch
import math
from collections.abc import Sequence
from pathlib import Path

from hyperalign.errors import InputError

Chosen = list[str] | float | None
"""Scenes by name or pattern (`flight1_*`), or a share of them, from 0 to 1."""


def chosen(wanted: Chosen, names: Sequence[str], setting: str) -> list[str]:
    """Return the names that are asked for.

    Args:
        wanted: names or patterns, with or without their ending; or a share, of which every n-th name is taken.
        names: what there is.
        setting: what is asked, for the sentence.

    Raises:
        InputError: for a pattern that no name fits, or a share outside of [0, 1].
    """
    if wanted is None:
        return []
    if isinstance(wanted, int | float):
        if not 0.0 <= wanted <= 1.0:
            raise InputError(f"data.init_args.{setting} is {wanted:g} but must be a share in [0, 1], or names.")
        count = min(len(names), math.floor(wanted * len(names) + 0.5))
        return [names[(2 * place + 1) * len(names) // (2 * count)] for place in range(count)]
    found: list[str] = []
    for pattern in wanted:
        fitting = [name for name in names if _fits(name, pattern)]
        if not fitting:
            raise InputError(
                f"No cube fits {pattern!r} of data.init_args.{setting}; there are {', '.join(names[:8])}: correct it."
            )
        found += [name for name in fitting if name not in found]
    return found


def _fits(name: str, pattern: str) -> bool:
    return any(fnmatch.fnmatchcase(one, pattern) for one in (name, str(Path(name).with_suffix(""))))
