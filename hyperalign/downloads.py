"""Weights from a hub: which state of them is meant, and a warning where nobody said."""

from __future__ import annotations

import logging
import re
from pathlib import Path

__all__ = ["hub_place", "warn_unpinned"]

_log = logging.getLogger(__name__)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_warned: set[tuple[str, str | None]] = set()


def hub_place(identifier: str) -> tuple[str, str | None]:
    """Return the id of a model on a hub and its revision, which follows the id as `ID@REVISION`; a path has none."""
    name, _, revision = identifier.partition("@")
    return (identifier, None) if Path(identifier).exists() or not revision else (name, revision)


def warn_unpinned(identifier: str, revision: str | None, setting: str) -> None:
    """Warn, once a process, that a model of a hub is taken in whatever state it has on the day of the run.

    Args:
        identifier: id of the model, or a path, which needs no revision.
        revision: branch, tag or commit; only a commit (40 hexadecimal digits) names one state for ever.
        setting: how a user names a commit, for the sentence.
    """
    if Path(identifier).exists() or _COMMIT.fullmatch(revision or "") or (identifier, revision) in _warned:
        return
    _warned.add((identifier, revision))
    _log.warning(
        "The weights of %s are those of its %s on the day of the run: name a commit by %s to have the same ones "
        "always.",
        identifier,
        f"revision {revision}" if revision else "main branch",
        setting,
    )
