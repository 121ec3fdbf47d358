"""The names of the sections, the name most like a misspelt one, and what older names stand for."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any

from hyperalign.errors import UsageError

CALLBACKS = ("proxy", "synthesis", "averaging", "noise", "results", "gain", "pictures", "diagnostics")
"""The sections that hold one callback each, in the order in which the Trainer calls them."""


def nearest_name(name: str, candidates: Iterable[str]) -> str:
    """Return the candidate most like `name`, whatever its case; empty where there is no candidate."""
    by_lower = {candidate.lower(): candidate for candidate in sorted(candidates)}
    found = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.0)
    return by_lower[found[0]] if found else ""


def checked_names(kind: str, given: Sequence[str], known: Sequence[str]) -> None:
    """Refuse a name that is not among the known ones.

    Raises:
        UsageError: naming the nearest one.
    """
    for name in given:
        if name not in known:
            nearest = nearest_name(name, known)
            # a name that holds a comma itself is told from its neighbours by quotation marks
            told = ", ".join(repr(one) if "," in one else one for one in known)
            raise UsageError(f"There is no {kind} {name!r}: the nearest one is {nearest!r}, of {told}.")


_OLD_FOLDER = re.compile(r"^(experiments/)?sources/")
_OLD_OPTION = re.compile(r"^(--synthesis(?:\.init_args)?(?:\.guides(?:\.init_args)?)?)\.source(?=[.=]|$)")


def present_config(name: str) -> str:
    """Return the name of a packaged config, where an older one is given: generators lay in `sources/`."""
    return _OLD_FOLDER.sub(r"\1generators/", name)


def present_option(word: str) -> str:
    """Return a word of the command line, where it is an older option: what generates cubes was called their source."""
    return _OLD_OPTION.sub(r"\1.generator", word)


def present_settings(content: dict[str, Any]) -> None:
    """Give the older settings of a config file their present names: what generates cubes was called their source."""
    synthesis = _arguments(content.get("synthesis"))
    for arguments in (synthesis, _arguments(synthesis.get("guides"))):
        if "source" in arguments:
            arguments["generator"] = arguments.pop("source")


def _arguments(section: object) -> dict[str, Any]:
    """Return the constructor arguments that a section gives, under `init_args` or without it."""
    if not isinstance(section, dict):
        return {}
    inner = section.get("init_args", section)
    return inner if isinstance(inner, dict) else {}
