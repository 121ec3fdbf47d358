"""The names of the sections, and the name most like a misspelt one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

CALLBACKS = ("proxy", "synthesis", "averaging", "noise", "results", "gain", "pictures", "diagnostics")
"""The sections that hold one callback each, in the order in which the Trainer calls them."""


def nearest_name(name: str, candidates: Iterable[str]) -> str:
    """Return the candidate most like `name`, whatever its case; empty where there is no candidate."""
    by_lower = {candidate.lower(): candidate for candidate in sorted(candidates)}
    found = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.0)
    return by_lower[found[0]] if found else ""
