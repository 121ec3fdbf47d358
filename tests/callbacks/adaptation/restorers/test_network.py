"""Proxies by networks and by training-free methods."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from callbacks import OtherRestorer, ProxyGeneration, SourceRestorer
from callbacks.adaptation.proxies import make_proxies
from datamodules import Observation
from lightning_modules import LRMR, RCTV, CheckpointError, UpsampledInput
from lightning_modules.solvers import rctv
from tests.callbacks.adaptation.restorers.fixed import WAVELENGTHS, Sloped, batch_of, bound
from tests.callbacks.tiny import MiniNetwork, store_files, tiny_data, tiny_module, tiny_trainer


def test_a_solver_restores_whole_scenes_whatever_the_stage_tiles() -> None:
    batch = batch_of(40, 36)
    restored = OtherRestorer(RCTV(rank=4)).restore(batch, 16)
    assert torch.equal(restored, rctv(batch["observation"], rank=4).restored)
    tiled = OtherRestorer(RCTV(rank=4), tile=16).restore(batch)
    assert not torch.allclose(tiled, restored, atol=1e-3)


def test_a_local_solver_follows_the_stage() -> None:
    batch = batch_of(40, 36)
    local = OtherRestorer(LRMR(rank=3, block=8, iterations=4))
    assert not torch.equal(local.restore(batch, 16), local.restore(batch))


def test_another_network_comes_with_its_checkpoint(tmp_path: Path) -> None:
    torch.save(Sloped(3.0).state_dict(), tmp_path / "other.pt")
    other = OtherRestorer(Sloped(), str(tmp_path / "other.pt"))
    batch = batch_of()
    assert torch.equal(bound(other, Sloped(7.0)).restore(batch), Sloped(3.0)(batch["observation"]))
    assert not other.uses_source
    with pytest.raises(ValueError, match="OtherRestorer was given Sloped without weights: set its checkpoint"):
        OtherRestorer(Sloped())
    torch.save(MiniNetwork().state_dict(), tmp_path / "foreign.pt")
    with pytest.raises(CheckpointError):
        OtherRestorer(Sloped(), str(tmp_path / "foreign.pt")).identity()


def test_every_setting_has_a_key_of_its_own(tmp_path: Path) -> None:
    settings = []
    for factor in (2.0, 3.0):
        torch.save(Sloped(factor).state_dict(), tmp_path / "weights.pt")
        settings.append(OtherRestorer(Sloped(), str(tmp_path / "weights.pt")).identity())
    solvers = [RCTV(rank=4), RCTV(rank=5), LRMR()]
    settings += [OtherRestorer(solver).identity() for solver in solvers] + [OtherRestorer(RCTV(), tile=16).identity()]
    assert len({str(one) for one in settings}) == len(settings)


def observations() -> list[Observation]:
    return [Observation("amber", batch_of()["observation"][0], WAVELENGTHS, "")]


def test_the_source_network_counts_only_where_it_has_a_part(tmp_path: Path) -> None:
    paths = {
        make_proxies(restorer, observations(), tmp_path, degradation={})[0].path
        for restorer in (bound(OtherRestorer(RCTV(rank=4)), Sloped(factor)) for factor in (1.0, 2.0))
    }
    assert len(paths) == 1
    chosen, plain, other = (
        make_proxies(restorer, observations(), tmp_path, degradation={})[0].path
        for restorer in (bound(SourceRestorer(), Sloped(1.0)), Sloped(1.0), bound(SourceRestorer(), Sloped(2.0)))
    )
    assert chosen == plain
    assert len({chosen, other, *paths}) == 3
    with pytest.raises(ValueError, match=r"has no source weights; set model.init_args.source to the source-trained"):
        bound(SourceRestorer())
    with pytest.raises(ValueError, match="SourceRestorer is asked outside of a fit"):
        SourceRestorer().restore(batch_of())


def test_a_network_that_enlarges_takes_the_phase_and_a_solver_before_it_does_not() -> None:
    batch, network = batch_of(phase=0.5), UpsampledInput(scale=2, network=torch.nn.Identity())
    assert bound(OtherRestorer(RCTV(rank=4)), network).restore(batch).shape == batch["observation"].shape
    assert bound(SourceRestorer(), network).restore(batch).shape[-1] == 2 * batch["observation"].shape[-1]


def test_a_solver_is_not_given_pairs() -> None:
    with pytest.raises(ValueError, match="RCTV restores single cubes, but these observations are pairs"):
        OtherRestorer(RCTV(rank=4)).restore(batch_of(multispectral=torch.zeros(1, 3, 40, 48)))


def test_a_fit_trains_on_what_the_solver_restored_without_source_weights(tmp_path: Path) -> None:
    stage = ProxyGeneration(str(tmp_path / "store"), restorer=RCTV(rank=4), clamp=False)
    data = tiny_data(tmp_path)
    tiny_trainer(tmp_path, [stage]).fit(tiny_module(tmp_path, source=False), datamodule=data)
    assert [proxy.name for proxy in stage.proxies] == ["amber", "birch", "coral"]
    observed = data.observations()[1]
    assert torch.allclose(stage.proxies[1].load().cube, rctv(observed.cube[None], rank=4).restored[0])
    assert len(store_files(tmp_path / "store")) == 3
