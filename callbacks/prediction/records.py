"""Records beside restored files: which settings made them, so that a resumed run skips what is finished."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datamodules.pairs.pair_scene import PairScene
from datamodules.sampling.tile_stream import StreamedScene
from hyperalign.files import beside, file_states, parsed_json, settings_digest, write_text

REVISION = 1
"""Raised whenever outputs of unchanged settings would come out differently."""


def scene_settings(scene: StreamedScene) -> dict[str, Any]:
    """Return what a restored file depends on beside the network: the observation's file and how it is read."""
    match = scene.match
    beside: dict[str, Any] = {}
    if isinstance(scene, PairScene):
        image = scene.multispectral
        channels = hashlib.sha256(image.match.weights.tobytes()).hexdigest()
        beside = {"multispectral": file_states(image.file.path), "channels": channels, "multispectral rule": image.rule}
        beside |= {"grid": [scene.ratio, scene.phase, *scene.shift], "caption": scene.caption}
    return beside | {
        "revision": REVISION,
        "observation": scene.name,
        "files": file_states(scene.file.path),
        "bands": hashlib.sha256(match.weights.tobytes() + str((match.kept, match.wavelengths)).encode()).hexdigest(),
        "normalisation": scene.rule,
        "nan": scene.nan,
    }


def record_path(asked: Path) -> Path:
    """Return the record beside the file that was asked for; the writer may have given the file another ending."""
    return beside(asked, ".json")


def write_record(asked: Path, written: Path, settings: Mapping[str, Any], notes: Mapping[str, str]) -> None:
    """Write the record of a finished file.

    Args:
        asked: the file that was asked for.
        written: the file that was written.
        settings: everything it depends on.
        notes: what else is to be said, for people and for formats that have no place for it.

    Raises:
        OSError: if it cannot be written.
    """
    record = {"digest": settings_digest(settings), "file": written.name, "size": size_of(written)}
    record |= {"settings": dict(settings), "notes": dict(notes)}
    write_text(record_path(asked), json.dumps(record, indent=1, sort_keys=True))


def is_finished(asked: Path, settings: Mapping[str, Any]) -> bool:
    """Tell whether a file is complete, untouched in size, and was made with these settings."""
    try:
        record = parsed_json(record_path(asked).read_text(encoding="utf-8"))
        written = asked.with_name(Path(record["file"]).name)
        return bool(record["digest"] == settings_digest(settings) and record["size"] == size_of(written))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def size_of(output: Path) -> int:
    """Return the bytes of a file, or of all files of a folder."""
    files = sorted(output.iterdir()) if output.is_dir() else [output]
    return sum(file.stat().st_size for file in files)
