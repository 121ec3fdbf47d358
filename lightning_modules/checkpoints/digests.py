"""Digests of weights and of whole checkpoints, so that a single changed bit is noticed on loading."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lightning_modules.checkpoints.content import CheckpointError

__all__ = ["DIGESTS_KEY", "check_digests", "digests_of", "tensors_in", "weights_digest"]

DIGESTS_KEY = "hyperalign_digests"
"""Where a checkpoint keeps the sha256 of each of its tensors and of all the rest."""

PLAIN = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.Size, torch.device)
"""Leaves whose text tells their value, the same before saving and after loading."""


def weights_digest(weights: nn.Module | Mapping[str, Tensor]) -> str:
    """Hash names, types, shapes and values of all weights: sha256 in hexadecimal, the same on any device."""
    state = weights.state_dict() if isinstance(weights, nn.Module) else weights
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(f"{name} {state[name].dtype} {list(state[name].shape)}\n".encode())
        digest.update(_bytes(state[name]))
    return digest.hexdigest()


def tensors_in(content: object, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield every tensor of nested mappings and sequences with its path, such as `state_dict.network.weight`."""
    if isinstance(content, Tensor):
        yield path, content
    for key, value in _children(content):
        yield from tensors_in(value, f"{path}.{key}" if path else str(key))


def digests_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is kept beside a checkpoint's content: `tensors`, the digest of each by its path, and `rest`."""
    return {
        "tensors": {path: _digest(tensor) for path, tensor in tensors_in(content) if _has_values(tensor)},
        "rest": _digest_of_rest(content),
    }


def check_digests(content: Mapping[str, Any], origin: str) -> None:
    """Compare a checkpoint's content with the digests that it carries; older and foreign ones carry none.

    Raises:
        CheckpointError: naming the first tensor that is not the one that was written.
    """
    recorded = content.get(DIGESTS_KEY)
    if recorded is None:
        return
    found = digests_of({name: value for name, value in content.items() if name != DIGESTS_KEY})
    kept = recorded.get("tensors") if isinstance(recorded, Mapping) else None
    if not isinstance(kept, Mapping):
        raise CheckpointError(f"Checkpoint {origin} is damaged: its digests cannot be read; copy it again.")
    for path in [*found["tensors"], *kept]:
        if kept.get(path) != found["tensors"].get(path):
            raise CheckpointError(
                f"Checkpoint {origin} is damaged: its tensor {path} is not the one that was written; copy it again, or "
                "take another checkpoint of the run."
            )
    if recorded.get("rest") != found["rest"]:
        raise CheckpointError(
            f"Checkpoint {origin} is damaged: what it holds beside its tensors is not what was written; copy it again, "
            "or take another checkpoint of the run."
        )


def _has_values(tensor: Tensor) -> bool:
    return tensor.layout == torch.strided and not tensor.is_meta and not tensor.is_quantized


def _bytes(tensor: Tensor) -> bytes:
    plain = tensor.detach().cpu().contiguous().resolve_conj().resolve_neg()
    return plain.flatten().view(torch.uint8).numpy().tobytes() if plain.numel() else b""


def _digest(tensor: Tensor) -> str:
    digest = hashlib.sha256(f"{tensor.dtype} {list(tensor.shape)}\n".encode())
    digest.update(_bytes(tensor))
    return digest.hexdigest()


def _digest_of_rest(content: object) -> str:
    digest = hashlib.sha256()
    for line in _lines(content, ""):
        digest.update(f"{line}\n".encode("utf-8", "backslashreplace"))
    return digest.hexdigest()


def _lines(content: object, path: str) -> Iterator[str]:
    """Yield one line for everything that is no tensor: its place, its kind and its value."""
    if isinstance(content, PLAIN):
        yield f"{path} {type(content).__name__} {content!r}"
        return
    kind = "mapping" if isinstance(content, Mapping) else type(content).__name__
    yield f"{path} {kind}"
    for key, value in _children(content):
        yield from _lines(value, f"{path}.{key!r}")


def _children(content: object) -> Iterator[tuple[Any, Any]]:
    if isinstance(content, Mapping):
        yield from content.items()
    elif isinstance(content, Sequence) and not isinstance(content, str | bytes | torch.Size):
        yield from enumerate(content)
