"""Scenes that are asked for by name, by pattern or as a share of all."""

import math
from collections.abc import Sequence
from pathlib import Path

from hyperalign.errors import InputError
from hyperalign.files import fits_pattern

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
        fitting = [name for name in names if fits_pattern(pattern, name, str(Path(name).with_suffix("")))]
        if not fitting:
            raise InputError(
                f"No cube fits {pattern!r} of data.init_args.{setting}; there are {', '.join(names[:8])}: correct it."
            )
        found += [name for name in fitting if name not in found]
    return found


def parted(observed: Chosen, unobserved: Chosen, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the names that are observed and those that are held back; a share is taken of what is left by the other.

    Args:
        observed: None takes all that are not held back.
        unobserved: None holds back all others where observed ones are asked for.
        names: what there is.

    Raises:
        InputError: see `chosen`; for a name in both, shares that are more than all, or nothing observed.
    """
    shares = [one for one in (observed, unobserved) if isinstance(one, int | float)]
    if len(shares) == 2 and sum(shares) > 1.0:
        raise InputError(
            f"data.init_args.observed and unobserved are {shares[0]:g} and {shares[1]:g}, more than all cubes: give "
            "shares of at most 1 together."
        )
    if isinstance(unobserved, int | float) and observed is not None and not isinstance(observed, int | float):
        seen = chosen(observed, names, "observed")
        held = _share_of(unobserved, names, seen, "unobserved")
    else:
        held = chosen(unobserved, names, "unobserved")
        if observed is None:
            seen = [name for name in names if name not in held]
        elif isinstance(observed, int | float):
            seen = _share_of(observed, names, held, "observed")
        else:
            seen = chosen(observed, names, "observed")
        if unobserved is None and observed is not None:
            held = [name for name in names if name not in seen]
    if both := sorted(set(seen) & set(held)):
        raise InputError(f"The cubes {', '.join(both)} are both observed and unobserved: put each in one of them.")
    if not seen:
        asked = "leave some out of data.init_args.unobserved" if observed is None else "set data.init_args.observed"
        raise InputError(f"No cube is observed of the {len(names)} there are: {asked}.")
    return seen, held


def _share_of(share: float, names: Sequence[str], taken: Sequence[str], setting: str) -> list[str]:
    """Return a share of all names, drawn from those that are not taken."""
    left = [name for name in names if name not in taken]
    count = len(chosen(share, names, setting))
    return chosen(min(1.0, count / len(left)), left, setting) if left else []
