"""Every kind of subject gives a piece of work of the size asked for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from experiments.commands.benchmark import subjects
from experiments.commands.benchmark.subjects import SUBJECTS
from experiments.commands.gpu_check.checks.specimens import FUSION, RESTORATION, built

CPU = torch.device("cpu")


def test_every_network_is_a_subject() -> None:
    assert set(RESTORATION) | set(FUSION) <= set(SUBJECTS)


@pytest.mark.parametrize("name", ["sert", "gdrrn", "co2if", "s2cyclediff"])
def test_networks_restore_the_scene_asked_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def compact(stem: str, *, compact: bool, bands: int, **changes: object) -> nn.Module:
        return built(stem, compact=True, bands=bands, **changes)

    monkeypatch.setattr(subjects, "built", compact)
    monkeypatch.setattr(subjects, "WIDTH", {"co2if": FUSION["co2if"]["text_width"]})
    restored = SUBJECTS[name](32, 12, CPU)()
    assert isinstance(restored, Tensor)
    assert restored.shape == (1, 12, 32, 32)
    assert not restored.requires_grad


def test_a_training_step_moves_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    network = built("co2if", compact=True, bands=8)
    monkeypatch.setattr(subjects, "built", lambda stem, **settings: network)
    monkeypatch.setattr(subjects, "WIDTH", {"co2if": FUSION["co2if"]["text_width"]})
    before = network.get_parameter("tail.2.weight").detach().clone()
    with torch.no_grad():
        SUBJECTS["co2if training step"](16, 8, CPU)()
    assert not torch.equal(network.get_parameter("tail.2.weight"), before)


def test_the_parts_of_the_transfer() -> None:
    found = {part: SUBJECTS[f"transfer: {part}"](32, 9, CPU)() for part in ("search", "refinement", "application")}
    assert isinstance(found["search"], Tensor)
    assert found["search"].shape == (1024, 16)
    assert isinstance(found["refinement"], tuple)
    assert found["refinement"][0].shape == (16, 1024)
    assert isinstance(found["application"], Tensor)
    assert found["application"].shape == (9, 32, 32)
    assert SUBJECTS["transfer: step"](32, 9, CPU)() is None


def test_solvers_and_the_scan() -> None:
    restored = SUBJECTS["RCTV, 5 iterations"](32, 16, CPU)()
    assert int(getattr(restored, "iterations", torch.zeros(1))[0]) == 5
    fused = SUBJECTS["GSA"](32, 8, CPU)()
    assert getattr(fused, "restored", torch.zeros(0)).shape == (1, 8, 32, 32)
    scanned = SUBJECTS["selective scan, both passes"](16, 8, CPU)()
    assert isinstance(scanned, list)
    assert scanned[0].shape == (1, 64, 256)
