"""Reading weights safely: pickled code is never run, damage is noticed and named."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hyperalign.errors import MissingFileError, absent_checkpoint
from lightning_modules.checkpoints.content import IDENTITY_KEY, CheckpointError
from lightning_modules.checkpoints.digests import DIGESTS_KEY, check_digests
from lightning_modules.checkpoints.states import check_state

__all__ = ["IDENTITY_KEY", "read_checkpoint", "read_weights", "weights_of"]

CONTAINER_KEYS = ("state_dict", "net", "model", "params")


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint file without running any code in it.

    Raises:
        FileNotFoundError: when there is no such file.
        CheckpointError: when the file is truncated, is no checkpoint, or holds pickled code.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(absent_checkpoint(path))
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # Damaged bytes can end in any error at all.
        raise CheckpointError(_why_unreadable(path, error)) from error
    if zipfile.is_zipfile(path) and not _is_intact(path):
        # torch does not look at the checksums, so that a changed bit would pass for a weight.
        raise CheckpointError(f"Checkpoint {path} is damaged: its checksums do not agree; copy or download it again.")
    if not isinstance(content, dict):
        raise CheckpointError(
            f"Checkpoint {path} holds a {type(content).__name__} instead of named weights; "
            "save a state_dict and load that."
        )
    check_digests(content, str(path))
    return content


def _why_unreadable(path: Path, error: Exception) -> str:
    """Say in one sentence what is wrong with a file that did not load."""
    code = re.search(r"GLOBAL (\S+) was not", str(error))
    with path.open("rb") as file:
        start = file.read(4)
    archive = start == b"PK\x03\x04"
    if not start or (archive and not zipfile.is_zipfile(path)):
        return f"Checkpoint {path} is truncated ({path.stat().st_size} bytes); copy or download it again."
    if code or (archive and isinstance(error, pickle.UnpicklingError) and _is_intact(path)):
        return (
            f"Checkpoint {path} holds pickled code{f' ({code.group(1)})' if code else ''}, which is never run; "
            "save only its state_dict with torch.save and load that."
        )
    if archive or start.startswith(b"\x80"):
        return f"Checkpoint {path} is damaged or holds more than weights; copy it again, or save only its state_dict."
    return (
        f"File {path} is not a PyTorch checkpoint; give a .ckpt, .pt or .pth file that torch.save or Lightning wrote."
    )


def _is_intact(path: Path) -> bool:
    """Check the checksums inside a zip archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except Exception:  # damaged headers end in errors of many kinds, all of which mean the same
        return False


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Read a network's weights from a Lightning checkpoint, an official checkpoint or a plain state dict.

    Of a Lightning checkpoint of this project only the network's own entries are returned, under the network's names;
    official files may keep their weights under `net`, `state_dict`, `model` or `params`.

    Raises:
        FileNotFoundError: when there is no such file.
        CheckpointError: when the file cannot be read safely or holds no weights.
    """
    return weights_of(read_checkpoint(path), path)


def weights_of(content: Mapping[str, Any], path: str | Path) -> dict[str, Tensor]:
    """Find the named weights inside a checkpoint's content."""
    ours = IDENTITY_KEY in content
    for key in CONTAINER_KEYS:
        if isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if ours:
        content = {
            str(name).removeprefix("network."): value
            for name, value in content.items()
            if str(name).startswith("network.")
        }
    content = {name: value for name, value in content.items() if name != DIGESTS_KEY}
    state = {name: value for name, value in content.items() if isinstance(value, Tensor)}
    if not state or len(state) != len(content):
        raise CheckpointError(
            f"Checkpoint {path} holds no state dict (it begins {', '.join(map(str, list(content)[:5])) or 'empty'}); "
            f"expected named tensors, at the top or under one of {', '.join(CONTAINER_KEYS)}."
        )
    check_state(state, str(path))
    return state
