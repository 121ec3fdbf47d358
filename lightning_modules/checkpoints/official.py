"""Loading files into networks: checkpoints of this project, and official ones through a network's name table.

A network states its table as a class attribute `official_names`: pairs (regular expression, replacement) that are
applied in turn to every official name. An optional class attribute `official_derived` lists expressions of official
entries that a network computes itself (attention masks, position indices); they are left out. Another one,
`official_absent`, names entries of ours that official files do not hold; the network keeps its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from lightning_modules.checkpoints.identity import IDENTITY_KEY, check_identity, recorded_identity
from lightning_modules.checkpoints.reading import read_checkpoint, read_weights, weights_of
from lightning_modules.checkpoints.states import check_shapes, check_state
from lightning_modules.networks.sliding_bands import SlidingBands
from lightning_modules.networks.upsampled import UpsampledInput

__all__ = ["load_official", "load_official_state", "load_weights"]

PREFIXES = ("module.", "net.", "network.", "model.")


def load_weights(network: nn.Module, path: str | Path) -> dict[str, Any]:
    """Load a file into a network, strictly: a checkpoint of this project, or an official one through the name table.

    Returns:
        What a checkpoint of this project records beside its weights; nothing for others.

    Raises:
        FileNotFoundError: when there is no such file.
        CheckpointError: when the file cannot be read safely or its weights belong to another network.
    """
    content = read_checkpoint(path)
    identity = recorded_identity(content, str(path))
    if IDENTITY_KEY in content:
        check_identity(network, identity, str(path))
    state = weights_of(content, path)
    if set(state) == set(network.state_dict()):
        check_shapes(network, state, str(path))
        network.load_state_dict(state)
    else:
        load_official_state(network, state, origin=str(path))
    return identity


def load_official(network: nn.Module, path: str | Path) -> None:
    """Load a checkpoint published by a network's authors, strictly, through the network's name table.

    Raises:
        FileNotFoundError: when there is no such file.
        CheckpointError: when the file cannot be read safely or does not fit the network.
    """
    load_official_state(network, read_weights(path), origin=str(path))


def load_official_state(network: nn.Module, state: Mapping[str, Tensor], origin: str = "the official state") -> None:
    """Load an official state dict held in memory, strictly, through the network's name table.

    Wrapping prefixes (`module.`, `net.`, `network.`, `model.`) that all names share are removed where that makes the
    names fit; a wrapper such as `UpsampledInput` passes the weights to its inner network.

    Args:
        network: network that receives the weights.
        state: official names and tensors.
        origin: where the state came from, for the error sentence.

    Raises:
        CheckpointError: when names or shapes do not fit.
    """
    check_state(state, origin, planned=any(tensor.is_meta for tensor in network.state_dict().values()))
    while isinstance(network, UpsampledInput | SlidingBands):
        network = network.network
    own = set(network.state_dict())
    candidates = [_renamed(network, candidate) for candidate in _unwrapped(dict(state))]
    renamed = next((candidate for candidate in candidates if set(candidate) == own), candidates[0])
    check_shapes(network, renamed, origin)
    network.load_state_dict(renamed)


def _unwrapped(state: dict[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """Yield the state, then the state without each wrapping prefix that all of its names share."""
    yield state
    while prefix := next((one for one in PREFIXES if state and all(name.startswith(one) for name in state)), None):
        state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
        yield state


def _renamed(network: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Apply the network's name table; leave out what it derives itself, add its own where official files have none."""
    derived = tuple(getattr(network, "official_derived", ()))
    renamed = {}
    for official, tensor in state.items():
        if any(re.search(pattern, official) for pattern in derived):
            continue
        name = official
        for pattern, replacement in getattr(network, "official_names", ()):
            name = re.sub(pattern, replacement, name)
        renamed[name] = tensor
    if absent := getattr(network, "official_absent", ()):
        own = network.state_dict()
        renamed = {name: own[name] for name in absent} | renamed
    return renamed
