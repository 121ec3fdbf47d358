"""A network that slides along the spectrum: blending, exactness, weights under plain names, what is refused."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import hyperalign
from hyperalign.errors import InputError
from lightning_modules import RestorationModule, load_weights
from lightning_modules.checkpoints import network_identity, write_checkpoint
from lightning_modules.networks import SERT, SFCSR, SlidingBands
from lightning_modules.networks.sliding_bands import band_groups


class Doubled(nn.Module):
    """Every band by itself, of four bands alone."""

    input_channels = 4

    def forward(self, observation: Tensor) -> Tensor:
        assert observation.shape[1] == 4
        return 2 * observation + 1


def small() -> SERT:
    torch.manual_seed(0)
    return SERT(6, dim=8, window_sizes=(4,), depths=(1,), num_heads=(2,), split_sizes=(1,)).eval()


def saved(module: RestorationModule, path: Path) -> Path:
    content = {"state_dict": module.state_dict()}
    module.on_save_checkpoint(content)
    write_checkpoint(content, path)
    return path


@pytest.mark.parametrize("bands", [31, 32, 45, 102, 200])
@pytest.mark.parametrize("overlap", [0, 1, 15, 30])
def test_every_band_has_weights_that_sum_to_one(bands: int, overlap: int) -> None:
    starts, weights = band_groups(bands, 31, overlap)
    total = torch.zeros(bands)
    for start, ramp in zip(starts, weights, strict=True):
        total[start : start + 31] += ramp
    torch.testing.assert_close(total, torch.ones(bands))
    assert starts[0] == 0 and starts[-1] == bands - 31
    assert all(31 - (after - before) >= overlap for before, after in pairwise(starts))
    assert (weights > 0).all()


def test_weights_are_ramps() -> None:
    starts, weights = band_groups(6, 4, 2)
    assert starts == [0, 2]
    # Two bands are shared: 2 and 1 parts of three for the first group, 1 and 2 for the second.
    torch.testing.assert_close(weights, torch.tensor([[1, 1, 2 / 3, 1 / 3], [1 / 3, 2 / 3, 1, 1]]))


@pytest.mark.parametrize("bands", [4, 5, 11, 30])
def test_what_works_band_by_band_comes_out_exactly(bands: int) -> None:
    cube = torch.rand(2, bands, 5, 6)
    torch.testing.assert_close(SlidingBands(Doubled())(cube), 2 * cube + 1)


def test_as_many_bands_are_the_network_itself() -> None:
    network, cube = small(), torch.rand(1, 6, 8, 8)
    assert torch.equal(SlidingBands(network)(cube), network(cube))


def test_groups_are_restored_apart_and_blended() -> None:
    network, cube = small(), torch.rand(1, 9, 8, 8)
    starts, weights = band_groups(9, 6, 3)
    expected = torch.zeros(1, 9, 8, 8)
    for start, ramp in zip(starts, weights, strict=True):
        expected[:, start : start + 6] += network(cube[:, start : start + 6]) * ramp[:, None, None]
    torch.testing.assert_close(SlidingBands(network)(cube), expected)


def test_weights_and_name_are_the_networks_own() -> None:
    network = small()
    sliding = SlidingBands(small())
    assert network_identity(sliding) == "SERT"
    assert set(sliding.state_dict()) == set(network.state_dict())
    with torch.no_grad():
        for weight in sliding.parameters():
            weight.zero_()
    sliding.load_state_dict(network.state_dict())
    holder = nn.ModuleDict({"network": SlidingBands(small())})
    holder.load_state_dict({f"network.{name}": value for name, value in network.state_dict().items()})
    cube = torch.rand(1, 9, 8, 8)
    assert torch.equal(sliding(cube), holder["network"](cube))


def test_checkpoints_load_plainly_and_record_it(tmp_path: Path) -> None:
    network = small()
    plain = saved(RestorationModule(network), tmp_path / "plain.ckpt")
    sliding = RestorationModule(SlidingBands(small()), source=str(plain))
    load_weights(sliding.network, plain)
    again = hyperalign.load(saved(sliding, tmp_path / "sliding.ckpt"))
    assert isinstance(again, SlidingBands)
    cube = torch.rand(1, 9, 16, 16)
    assert torch.equal(again(cube), SlidingBands(network)(cube))
    restored = hyperalign.restore(cube[0].numpy(), plain, bands="windows")
    np.testing.assert_allclose(restored, again.eval()(cube)[0].numpy(), rtol=1e-4, atol=1e-5)
    assert hyperalign.restore(cube[0].numpy(), tmp_path / "sliding.ckpt").shape == (9, 16, 16)


def test_fewer_bands_and_odd_settings_are_refused() -> None:
    with pytest.raises(InputError, match=r"^The cube has 3 bands, fewer than the 4 of the network that slides"):
        SlidingBands(Doubled())(torch.rand(1, 3, 4, 4))
    with pytest.raises(InputError, match=r"overlap=4: give at least 0 and fewer than 4 bands\.$"):
        SlidingBands(Doubled(), overlap=4)
    with pytest.raises(InputError, match=r"Identity, which does not say its number of bands: give `bands`\.$"):
        SlidingBands(nn.Identity())


def test_a_module_slides_once_and_refuses_where_it_cannot() -> None:
    module = RestorationModule(small())
    module.slide_along_bands()
    network = module.network
    module.slide_along_bands()
    assert module.network is network and module.trained_on == {"any_bands": True, "fewest_bands": 6}
    with pytest.raises(InputError, match=r"^SFCSR cannot slide along the bands of a cube: set data\.init_args\.bands"):
        RestorationModule(SFCSR()).slide_along_bands()
