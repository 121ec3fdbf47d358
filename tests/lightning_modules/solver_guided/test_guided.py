"""The guided wrapper: it starts as the solver, is given both images, and keeps the bands of its backbone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lightning_modules import WhitenedRCTV
from lightning_modules.solver_guided import Guided
from lightning_modules.solvers import whitened_rctv
from tests.lightning_modules.solver_guided.scenes import Same, compact_sert, observation


def test_guided_starts_as_the_solver_and_keeps_its_bands() -> None:
    guided = Guided(WhitenedRCTV(rank=3), compact_sert(12)).eval()
    observed = observation()
    solved = whitened_rctv(observed, rank=3).restored
    images, _ = guided.prepared(observed)
    assert torch.equal(images, torch.cat([solved, observed], 1))
    assert guided.input_channels == 12
    assert not guided.any_bands
    start = Guided(WhitenedRCTV(rank=3), Same(12)).eval()
    torch.testing.assert_close(start(observed), solved, rtol=0, atol=1e-6)


def test_a_backbone_that_does_not_say_its_bands_is_refused() -> None:
    with pytest.raises(ValueError, match="must know how many bands Identity was built for"):
        Guided(WhitenedRCTV(), nn.Identity())
