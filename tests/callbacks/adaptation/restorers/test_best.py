"""Who makes the proxies where nobody says it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from callbacks import BestRestorer, OtherRestorer, ProxyGeneration
from datamodules import BandMissing, BicubicDownsampling, ComplexMixture, EstimatedNoise, NonIIDGaussian, SeveralTasks
from lightning_modules import BandInterpolation, RestorationModule, Subspace, WhitenedRCTV
from tests.callbacks.adaptation.restorers.fixed import batch_of
from tests.callbacks.tiny import MiniNetwork, tiny_data, tiny_module, tiny_trainer


def test_a_solver_for_noise_the_source_for_all_else() -> None:
    plain = RestorationModule(MiniNetwork())
    guided = RestorationModule(Subspace(WhitenedRCTV(rank=3), nn.Identity(), rank=3))
    best = BestRestorer(rank=3)
    for task in (NonIIDGaussian(), ComplexMixture(), EstimatedNoise()):
        best.choose(task, plain)
        assert not best.uses_source
        best.choose(task, guided)
        assert best.uses_source
    best.choose(BandMissing(), plain)
    assert best.identity() == OtherRestorer(BandInterpolation()).identity()
    for other in (BicubicDownsampling(), SeveralTasks([BandMissing(), NonIIDGaussian()])):
        best.choose(other, plain)
        assert best.uses_source


def test_its_proxies_are_those_of_what_was_chosen(tmp_path: Path) -> None:
    module = tiny_module(tmp_path, source=False)
    generation = ProxyGeneration(str(tmp_path / "store"), restorer=BestRestorer(rank=3))
    trainer = tiny_trainer(tmp_path, [generation])
    data = tiny_data(tmp_path)
    trainer.fit(module, data)
    observed = data.observations()[0]
    batch = batch_of() | {"observation": observed.cube[None], "name": [observed.name]}
    named = OtherRestorer(WhitenedRCTV(rank=3))
    expected = named.restore(batch)[0].clamp(0, 1)
    torch.testing.assert_close(generation.proxies[0].load().cube, expected, rtol=0, atol=1e-6)
    assert generation.restorer.identity() == named.identity()
