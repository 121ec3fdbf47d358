"""Weights from a hub: which state of them is meant, and a warning where nobody said."""

from __future__ import annotations

import logging
import re
from pathlib import Path

__all__ = ["hub_place", "warn_tag", "warn_unpinned"]

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


def warn_tag(model: str, tag: str | None, setting: str) -> None:
    """Warn, once a process, that open_clip takes weights by a tag or an id, which no commit can be given to.

    Args:
        model: of open_clip; a folder is named as `local-dir:FOLDER`.
        tag: of its weights, or a file; None for weights that are drawn, or those of a model that an id names.
        setting: how a user names a file, for the sentence.
    """
    named = model if model.startswith("hf-hub:") else f"{tag} of {model}"
    plain = tag is None and named != model
    if plain or model.startswith("local-dir:") or (tag and Path(tag).exists()) or (named, tag) in _warned:
        return
    _warned.add((named, tag))
    _log.warning(
        "open_clip downloads the weights %s, unless it has them, in the state that they have on the day of the run: "
        "give %s to have the same ones always.",
        named,
        setting,
    )
