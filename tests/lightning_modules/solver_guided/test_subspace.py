"""The subspace wrapper: it starts as the solver, serves any band count, and cuts scenes only for its backbone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import hyperalign
from lightning_modules import SERT, WhitenedRCTV
from lightning_modules.checkpoints import network_identity
from lightning_modules.restoration import RestorationModule
from lightning_modules.restorer import WHOLE, NetworkRestorer
from lightning_modules.solver_guided import Guided, Subspace, scene_wide
from lightning_modules.solvers import band_noise, whitened_rctv


class Local(nn.Module):
    """A pixelwise backbone, so that tiles cannot change what it gives."""

    def __init__(self, input_channels: int) -> None:
        super().__init__()
        self.input_channels = input_channels
        self.layer = nn.Conv2d(input_channels, input_channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        restored: Tensor = images + 0.1 * self.layer(images)
        return restored


def observation(bands: int = 12, side: int = 40) -> Tensor:
    generator = torch.Generator().manual_seed(bands)
    abundances = nn.functional.interpolate(torch.rand(1, 3, 5, 5, generator=generator), size=(side, side))
    clean = torch.einsum("bkhw,kc->bchw", abundances, torch.rand(3, bands, generator=generator)) / 3
    deviation = torch.linspace(0.02, 0.1, bands)[:, None, None]
    return clean + deviation * torch.randn(clean.shape, generator=generator)


def compact_sert(channels: int) -> SERT:
    return SERT(
        input_channels=channels,
        dim=8,
        window_sizes=[8],
        depths=[1],
        num_heads=[2],
        split_sizes=[1],
        initialisation="identity",
    )


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


def test_guided_starts_as_the_solver_and_keeps_its_bands() -> None:
    guided = Guided(WhitenedRCTV(rank=3), compact_sert(12)).eval()
    observed = observation()
    solved = whitened_rctv(observed, rank=3).restored
    images, _ = guided.prepared(observed)
    assert torch.equal(images, torch.cat([solved, observed], 1))
    assert guided.input_channels == 12
    assert not guided.any_bands
    start = Guided(WhitenedRCTV(rank=3), _Same(12)).eval()
    torch.testing.assert_close(start(observed), solved, rtol=0, atol=1e-6)


class _Same(nn.Identity):
    """Says how many bands it was built for."""

    def __init__(self, input_channels: int) -> None:
        super().__init__()
        self.input_channels = input_channels


def test_networks_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="gives its network 6 channels, but SERT was built for 4"):
        Subspace(WhitenedRCTV(), compact_sert(4))
    with pytest.raises(ValueError, match="rank=0"):
        Subspace(WhitenedRCTV(), nn.Identity(), rank=0)
    with pytest.raises(ValueError, match="must know how many bands Identity was built for"):
        Guided(WhitenedRCTV(), nn.Identity())
    enlarging = _Same(4)
    enlarging.scale = 4  # type: ignore[assignment]
    with pytest.raises(ValueError, match="keeps the image size, which _Same does not"):
        Subspace(WhitenedRCTV(), enlarging, rank=4)
