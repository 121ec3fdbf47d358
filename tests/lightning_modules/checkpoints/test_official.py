"""Official files of every layout load through a network's name table, strictly."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor

from lightning_modules import (
    SERT,
    CheckpointError,
    UpsampledInput,
    load_official,
    load_official_state,
    load_weights,
    weights_digest,
)
from tests.lightning_modules.checkpoints.toys import OFFICIAL, Toy


def check_loaded(network: Toy) -> None:
    """The official values arrived under our names."""
    for index in (0, 1):
        assert torch.equal(network.get_parameter(f"layers.{index}.weight"), OFFICIAL[f"body.{index}.w"])
        assert torch.equal(network.get_parameter(f"layers.{index}.bias"), OFFICIAL[f"body.{index}.b"])


@pytest.mark.parametrize("key", ["net", "state_dict", "model", "params", None])
@pytest.mark.parametrize("prefix", ["", "module.", "net.", "module.net."])
def test_official_layouts_and_prefixes_load(tmp_path: Path, key: str | None, prefix: str) -> None:
    state = {prefix + name: tensor for name, tensor in OFFICIAL.items()}
    torch.save({key: state, "epoch": 3, "optimizer": {"lr": 1.0}} if key else state, tmp_path / "official.pth")
    for load in (load_official, load_weights):
        network = Toy()
        load(network, tmp_path / "official.pth")
        check_loaded(network)


def test_wrapped_network_receives_official_weights() -> None:
    network = Toy()
    load_official_state(UpsampledInput(network), OFFICIAL)
    check_loaded(network)


def test_official_sert_state_loads_from_a_file(shared: Path, golden: ModuleType, tmp_path: Path) -> None:
    spec, _ = golden.load_case(shared / "golden" / "restoration", "sert")
    state = golden.official_state(spec)
    torch.save({"net": state, "optimizer": {}, "epoch": 100, "iteration": 5}, tmp_path / "sert.pth")
    network = SERT()
    load_official(network, tmp_path / "sert.pth")
    assert torch.equal(
        network.get_parameter("layers.2.blocks.5.attention.rectangles.1.position.weight"),
        state["layers.2.smsblock.5.attns.attns.1.get_v.weight"],
    )


def without(name: str) -> dict[str, Tensor]:
    """The official state without one entry."""
    return {key: tensor for key, tensor in OFFICIAL.items() if key != name}


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (without("body.1.b"), r"1 of its 4 entries are missing \(first: layers.1.bias\) and 0 are unknown"),
        (
            OFFICIAL | {"extra": torch.ones(1)},
            r"0 of its 4 entries are missing and 1 are unknown to it \(first: extra\)",
        ),
        (OFFICIAL | {"body.0.w": torch.ones(5, 2)}, r"layers.0.weight is \[5, 2\] there and \[3, 2\] here; build the"),
    ],
)
def test_official_loading_is_strict(state: dict[str, Tensor], sentence: str) -> None:
    network = Toy()
    before = weights_digest(network)
    with pytest.raises(CheckpointError, match=sentence):
        load_official_state(network, state)
    assert weights_digest(network) == before
