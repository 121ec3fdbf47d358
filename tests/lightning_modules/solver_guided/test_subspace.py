"""The subspace wrapper: it starts as the solver, serves any band count, and cuts scenes only for its backbone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import hyperalign
from lightning_modules import WhitenedRCTV
from lightning_modules.checkpoints import network_identity
from lightning_modules.restoration import RestorationModule
from lightning_modules.restorer import WHOLE, NetworkRestorer
from lightning_modules.solver_guided import Subspace, scene_wide
from lightning_modules.solvers import band_noise, whitened_rctv
from tests.lightning_modules.solver_guided.scenes import Local, compact_sert, observation


@pytest.mark.parametrize("bands", [4, 12, 31])
def test_it_starts_as_the_solver_for_any_number_of_bands(bands: int) -> None:
    network = Subspace(WhitenedRCTV(rank=3), nn.Identity(), rank=4).eval()
    observed = observation(bands)
    solved = whitened_rctv(observed, rank=3).restored
    torch.testing.assert_close(network(observed), solved, rtol=0, atol=2e-5)


def test_what_the_backbone_is_given_is_the_equation() -> None:
    network = Subspace(WhitenedRCTV(rank=3), nn.Identity(), rank=3).eval()
    observed = observation()
    images, finish = network.prepared(observed)
    solved, noise = whitened_rctv(observed, rank=3).restored, band_noise(observed).clamp(min=3 / 255)[:, :, None, None]
    left, _, _ = torch.linalg.svd((solved / noise)[0].flatten(1).double(), full_matrices=False)
    directions = left[:, :3].float()
    coefficients = torch.einsum("cr,chw->rhw", directions, (solved / noise)[0])
    coefficients *= coefficients.mean((1, 2)).sign()[:, None, None]
    torch.testing.assert_close(images[0, :3] * 10, coefficients, rtol=0, atol=2e-3)
    assert (images[0, :3].mean((1, 2)) >= 0).all()
    cut = ((observed - solved) / noise).clamp(-3, 3)
    torch.testing.assert_close(images[:, 6], cut.abs().mean(1), rtol=0, atol=1e-4)
    moved = finish(images[:, :3] + 0.1)
    assert float((moved - solved).abs().max()) > 0.01


def test_an_outlier_does_not_reach_the_coefficients() -> None:
    network = Subspace(WhitenedRCTV(rank=3), nn.Identity(), rank=3).eval()
    observed = observation()
    struck = observed.clone()
    struck[0, 5, 20, 20] += 3.0
    seen = [network.prepared(one)[0][0, 3:6, 20, 20] for one in (observed, struck)]
    # Uncut, it would be the whole deviation of 3 / 0.05 along the band's share of the directions.
    assert float((seen[0] - seen[1]).abs().max()) * 10 < 8


def test_a_scene_has_one_subspace_however_it_is_tiled() -> None:
    network = Subspace(WhitenedRCTV(rank=3), Local(3), rank=3).eval()
    batch = {"observation": observation()}
    whole = NetworkRestorer(network).restore(batch)
    tiled = NetworkRestorer(network, tile=16).restore(batch)
    torch.testing.assert_close(tiled, whole, rtol=0, atol=1e-5)
    module = RestorationModule(network, tile=16)
    torch.testing.assert_close(module.restore(batch), whole, rtol=0, atol=1e-5)
    assert module.file_tile == NetworkRestorer(network).file_tile == WHOLE
    assert scene_wide(module) is network
    assert scene_wide(RestorationModule(Local(3))) is None


def test_it_learns_and_solves_a_patch_once() -> None:
    torch.manual_seed(0)
    network = Subspace(WhitenedRCTV(rank=3), compact_sert(3), rank=3)
    observed = observation()
    solved = network.train().solve(observed)
    assert network.solve(observed) is not solved
    assert len(network._solved) == 1
    loss = (network(observed) - observed).square().mean()
    loss.backward()
    gradients = [one.grad for one in network.parameters() if one.requires_grad]
    assert gradients and all(one is not None and bool(one.isfinite().all()) for one in gradients)
    assert float(network.mix.weight.grad.abs().sum()) > 0  # type: ignore[union-attr]
    network.eval().solve(observed + 1)
    assert len(network._solved) == 1


def test_its_checkpoint_restores_any_sensor(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Subspace(WhitenedRCTV(rank=3), compact_sert(4), rank=4)
    assert network_identity(network) == "Subspace(SERT)"
    module = RestorationModule(network)
    checkpoint: dict[str, object] = {"state_dict": module.state_dict()}
    module.on_save_checkpoint(checkpoint)
    torch.save(checkpoint, tmp_path / "subspace.ckpt")
    loaded = hyperalign.load(tmp_path / "subspace.ckpt")
    for bands in (8, 12):
        cube = observation(bands)
        restored = hyperalign.restore(cube[0], tmp_path / "subspace.ckpt", normalisation="none")
        with torch.no_grad():
            torch.testing.assert_close(restored, loaded(cube)[0], rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match="has 3 bands, fewer than the 4 spectral directions"):
        hyperalign.restore(observation(3)[0], tmp_path / "subspace.ckpt", normalisation="none")


def test_a_rank_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="rank=0"):
        Subspace(WhitenedRCTV(), nn.Identity(), rank=0)
