"""Networks beside the recorded outputs of their published implementations: cases, inputs, inner outputs and names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from lightning_modules import load_official_state

Network = TypeVar("Network", bound=nn.Module)
Case = tuple[dict[str, Any], dict[str, Tensor], Network]
"""A recorded case, its recorded outputs by name, and our network with the weights drawn for it."""


def published_case(
    golden: ModuleType, folder: Path, name: str, build: Callable[[dict[str, Any]], Network], prefix: str = ""
) -> Case[Network]:
    """Read a recorded case, build our network for it and load the drawn weights, strictly, by their published names.

    Args:
        golden: module that draws the weights and inputs of the reference outputs.
        folder: where the recorded case lies.
        name: its name.
        build: makes our network from the recorded case.
        prefix: stands before every published name, as in a checkpoint of a wrapped network.
    """
    spec, outputs = golden.load_case(folder, name)
    network = build(spec)
    load_official_state(network, {prefix + entry: value for entry, value in golden.official_state(spec).items()})
    return spec, outputs, network.eval()


def published_input(golden: ModuleType, spec: Mapping[str, Any]) -> Tensor:
    """Draw the recorded input, in the shape the published network takes."""
    drawn: Tensor = golden.draw_input(spec["input"]["name"], tuple(spec["input"]["shape"]), spec["seed"])
    return drawn


@contextmanager
def tapped(layers: Mapping[str, nn.Module]) -> Iterator[dict[str, list[Tensor]]]:
    """Give the list that receives a copy of every output of each layer, under the layer's key, within this context."""
    seen: dict[str, list[Tensor]] = {name: [] for name in layers}
    hooks = [
        layer.register_forward_hook(lambda _module, _inputs, output, name=name: seen[name].append(output.clone()))
        for name, layer in layers.items()
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def our_names(spec: Mapping[str, Any], names: Iterable[tuple[str, str]], derived: Iterable[str] = ()) -> list[str]:
    """Put every published name through a name table, sorted; leave out those that an expression of `derived` finds."""
    table, left_out = tuple(names), tuple(derived)
    ours = []
    for row in spec["state"]:
        name = row["name"]
        if any(re.search(pattern, name) for pattern in left_out):
            continue
        for pattern, replacement in table:
            name = re.sub(pattern, replacement, name)
        ours.append(name)
    return sorted(ours)


def parameter_count(network: nn.Module) -> int:
    """Count the numbers in all parameters, trained or not."""
    return sum(parameter.numel() for parameter in network.parameters())


def entry_shapes(network: nn.Module) -> dict[str, torch.Size]:
    """Shape of every entry of the network's state dict, by name."""
    return {name: value.shape for name, value in network.state_dict().items()}


def published_inputs(golden: ModuleType, spec: Mapping[str, Any]) -> dict[str, Tensor]:
    """Draw the recorded inputs of a case with several, by name."""
    return {one["name"]: golden.draw_input(one["name"], tuple(one["shape"]), spec["seed"]) for one in spec["inputs"]}


def tap_error(
    golden: ModuleType, spec: Mapping[str, Any], outputs: Mapping[str, Tensor], tap: str, ours: Tensor
) -> float:
    """Relative error of an inner output, which is recorded flattened and in strides where it is large."""
    recorded = spec["taps"][tap]
    assert list(ours.shape) == recorded["shape"], tap
    if stride := recorded.get("flat_stride"):
        ours = ours.flatten()[::stride][: recorded["stored_shape"][0]]
    error: float = golden.relative_error(ours, outputs[f"tap:{tap}"])
    return error
