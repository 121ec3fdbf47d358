"""What every restorer has, whether it is a module, a frozen network or a training-free method."""

from __future__ import annotations

from pathlib import Path

import pytest
from lightning.pytorch.demos.boring_classes import BoringModel
from torch import nn

from lightning_modules import RCTV, SolverModule, weights_digest
from lightning_modules.restorer import Adaptable, NetworkRestorer, Restorer, adaptable, restorer_of
from tests.callbacks.tiny import tiny_module
from tests.callbacks.tiny_fusion import fusion_module


def test_modules_frozen_networks_and_solvers_are_restorers(tmp_path: Path) -> None:
    module, fusion = tiny_module(tmp_path), fusion_module(tmp_path)
    frozen = module.source_restorer()
    for one in (module, fusion, frozen, SolverModule(RCTV(rank=3)), NetworkRestorer(nn.Identity())):
        assert isinstance(one, Restorer)
    assert isinstance(module, Adaptable)
    assert not isinstance(NetworkRestorer(nn.Identity()), Adaptable)
    assert module.needs == ("observation",)
    assert fusion.needs == ("observation", "multispectral", "caption")
    assert frozen is not None
    assert frozen.source_restorer() is None
    assert frozen.identity()["weights"] == weights_digest(module.network)


def test_what_restores_nothing_is_refused_in_one_sentence() -> None:
    with pytest.raises(TypeError, match=r"^ResultsTable needs something that restores, which BoringModel is not: take"):
        restorer_of(BoringModel(), "ResultsTable")
    with pytest.raises(ValueError, match=r"^ProxyGeneration needs the source weights, which BoringModel does not know"):
        adaptable(BoringModel(), "ProxyGeneration")
