"""Weights that cannot be a network's are refused by the name of the first one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lightning_modules import CheckpointError, RestorationModule, load_official_state, load_weights, weights_digest
from lightning_modules.checkpoints import check_shapes
from tests.callbacks.tiny import MiniNetwork, tiny_data, tiny_trainer
from tests.lightning_modules.checkpoints.toys import OFFICIAL, Toy

ODD: dict[str, tuple[Any, str]] = {
    "numbered": ({0: torch.ones(2), **OFFICIAL}, r"are numbered \(0\) instead of named"),
    "sparse": (OFFICIAL | {"body.0.w": torch.ones(3, 2).to_sparse()}, r"body\.0\.w in .* is sparse or quantised"),
    "meta": (OFFICIAL | {"body.0.w": torch.ones(3, 2, device="meta")}, r"body\.0\.w in .* is without values"),
    "nan": (OFFICIAL | {"body.0.w": torch.full((3, 2), torch.nan)}, r"weight .* in .* holds NaN or infinite values"),
    "infinite": (OFFICIAL | {"body.1.b": torch.tensor([0.0, torch.inf])}, "holds NaN or infinite values, so the run"),
    "complex": (OFFICIAL | {"body.1.b": torch.ones(2, dtype=torch.complex64)}, "holds torch.complex64 there"),
    "whole": (OFFICIAL | {"body.1.b": torch.ones(2, dtype=torch.int64)}, "holds torch.int64 there and torch.float32"),
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_weights_are_refused_and_the_network_stays(tmp_path: Path, kind: str) -> None:
    state, sentence = ODD[kind]
    network = Toy()
    before = weights_digest(network)
    with pytest.raises(CheckpointError, match=sentence):
        load_official_state(network, state)
    torch.save(state, tmp_path / "odd.pt")
    with pytest.raises(CheckpointError, match=sentence):
        load_weights(network, tmp_path / "odd.pt")
    assert weights_digest(network) == before


def test_a_text_among_the_weights_is_named() -> None:
    state: Mapping[str, Any] = OFFICIAL | {"note": "best"}
    with pytest.raises(CheckpointError, match=r"The weight note in .* is a str instead of a tensor"):
        load_official_state(Toy(), state)


class Masked(nn.Module):
    """One weight and a mask that is minus infinity on purpose."""

    mask: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))
        self.register_buffer("mask", torch.tensor([0.0, -torch.inf]))


def test_an_infinite_mask_is_none_of_the_learned_numbers() -> None:
    network = Masked()
    check_shapes(network, network.state_dict(), "here")
    with pytest.raises(CheckpointError, match="The weight mask in here holds NaN"):
        check_shapes(network, network.state_dict() | {"mask": torch.tensor([0.0, torch.nan])}, "here")


def test_a_buffer_that_is_not_known_yet_is_nan_as_a_whole() -> None:
    network = Masked()
    check_shapes(network, network.state_dict() | {"mask": torch.full((2,), torch.nan)}, "here")
    with pytest.raises(CheckpointError, match="The weight weight in here holds NaN"):
        check_shapes(network, network.state_dict() | {"weight": torch.full((2,), torch.nan)}, "here")


@pytest.mark.parametrize(
    ("identity", "sentence"),
    [
        ({"network": 3}, "says '3' as its network"),
        ({"network": "MiniNetwork", "source_digest": 5}, "says '5' as its source_digest"),
        ({"network": "MiniNetwork", "training_data": [1]}, "as its training_data"),
        ({"network": "MiniNetwork", "training_data": {"wavelengths": "400:700:31"}}, "as its wavelengths"),
        ({"network": "MiniNetwork", "training_data": {"wavelengths": [400.0, float("nan")]}}, "as its wavelengths"),
        ({"network": "MiniNetwork", "training_data": {"normalisation": 3}}, "as its normalisation"),
    ],
)
def test_odd_statements_about_itself_are_named(tmp_path: Path, identity: dict[str, Any], sentence: str) -> None:
    network = MiniNetwork()
    torch.save({"state_dict": RestorationModule(network).state_dict(), "hyperalign": identity}, tmp_path / "odd.ckpt")
    with pytest.raises(CheckpointError, match=sentence):
        load_weights(network, tmp_path / "odd.ckpt")


def test_a_trainer_refuses_an_odd_field_before_it_restores_anything(tmp_path: Path) -> None:
    module = RestorationModule(MiniNetwork())
    content = {"state_dict": module.state_dict(), "pytorch-lightning_version": "2.6.6", "epoch": -1}
    torch.save(content, tmp_path / "odd.ckpt")
    with pytest.raises(CheckpointError, match="says -1 as its field 'epoch'"):
        tiny_trainer(tmp_path, []).test(
            module, datamodule=tiny_data(tmp_path), ckpt_path=str(tmp_path / "odd.ckpt"), weights_only=True
        )
