"""Whether named weights can be a network's: their names, kinds and shapes, and that all of them are numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lightning_modules.checkpoints.content import CheckpointError

__all__ = ["check_shapes", "check_state", "network_identity"]


def network_identity(network: nn.Module) -> str:
    """Name a network's class, with the class inside a wrapper, such as `UpsampledInput(SERT)`."""
    if getattr(network, "same_identity", False) and isinstance(network.network, nn.Module):
        return network_identity(network.network)
    wrapped = getattr(network, "network", None) if getattr(network, "is_wrapper", False) else None
    inner = f"({network_identity(wrapped)})" if isinstance(wrapped, nn.Module) else ""
    return type(network).__name__ + inner


def check_state(state: Mapping[Any, Any], origin: str, planned: bool = False) -> None:
    """Refuse what are no named, dense tensors.

    Args:
        state: names and tensors.
        origin: where they came from, for the sentence.
        planned: whether tensors without values (device meta) fit, for a network that has none either.

    Raises:
        CheckpointError: naming the first entry that is none.
    """
    for name, tensor in state.items():
        if not isinstance(name, str):
            raise CheckpointError(
                f"Weights in {origin} are numbered ({name!r}) instead of named; save network.state_dict() and "
                "load that."
            )
        if not isinstance(tensor, Tensor):
            raise CheckpointError(
                f"The weight {name} in {origin} is a {type(tensor).__name__} instead of a tensor; save "
                "network.state_dict() and load that."
            )
        if (tensor.is_meta and not planned) or tensor.layout != torch.strided or tensor.is_quantized:
            kind = "without values (on the device meta)" if tensor.is_meta else "sparse or quantised"
            raise CheckpointError(
                f"The weight {name} in {origin} is {kind}; save the network's state_dict() with ordinary tensors."
            )


def check_shapes(network: nn.Module, state: Mapping[str, Tensor], origin: str) -> None:
    """Refuse weights that cannot be the network's, naming the first difference in one sentence.

    Raises:
        CheckpointError: for other names, shapes or kinds of numbers, and for weights that are not finite.
    """
    own = network.state_dict()
    check_state(state, origin, planned=any(tensor.is_meta for tensor in own.values()))
    kind = network_identity(network)
    missing, unexpected = sorted(set(own) - set(state)), sorted(set(state) - set(own))
    if missing or unexpected:
        raise CheckpointError(
            f"Weights in {origin} do not fit {kind}: {len(missing)} of its {len(own)} entries are missing"
            f"{f' (first: {missing[0]})' if missing else ''} and {len(unexpected)} are unknown to it"
            f"{f' (first: {unexpected[0]})' if unexpected else ''}; check the network's class and settings."
        )
    for name, tensor in own.items():
        if tensor.shape != state[name].shape:
            raise CheckpointError(
                f"Weights in {origin} do not fit {kind}: {name} is {list(state[name].shape)} there and "
                f"{list(tensor.shape)} here; build the network with the settings the weights were trained with."
            )
        if _numbers(tensor) != _numbers(state[name]):
            raise CheckpointError(
                f"Weights in {origin} do not fit {kind}: {name} holds {state[name].dtype} there and {tensor.dtype} "
                "here; take the weights of that network."
            )
    _check_finite(network, state, origin)


def _numbers(tensor: Tensor) -> str:
    """The kind of numbers, between which nothing is converted."""
    return "complex" if tensor.is_complex() else "real" if tensor.is_floating_point() else "whole"


def _check_finite(network: nn.Module, state: Mapping[str, Tensor], origin: str) -> None:
    """Refuse numbers that no sound training leaves.

    A buffer may be infinite (masks of attention) or NaN as a whole, where what it is for is not known yet.
    """
    learned = {name for name, _ in network.named_parameters(remove_duplicate=False)}
    for name, tensor in state.items():
        if tensor.is_meta or not (tensor.is_floating_point() or tensor.is_complex()):
            continue
        undefined = torch.isnan(tensor)
        spoilt = not bool(torch.isfinite(tensor).all()) if name in learned else bool(undefined.any())
        if spoilt and (name in learned or not bool(undefined.all())):
            raise CheckpointError(
                f"The weight {name} in {origin} holds NaN or infinite values, so the run that wrote it had failed; "
                "take an earlier checkpoint."
            )
