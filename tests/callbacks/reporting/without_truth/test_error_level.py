"""The size of an error that nobody can see, beside the true one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from callbacks.reporting.without_truth.error_level import LAGS, Probed, Simulated, error_level
from tests.datamodules.estimation.scenes import clean_scene

SIGMAS = torch.tensor([10.0, 20.0, 40.0, 60.0])[:, None, None] / 255.0


def blurred(cube: Tensor) -> Tensor:
    return avg_pool2d(cube, 5, 1, 2, count_include_pad=False)


def tried(cube: Tensor, generator: torch.Generator) -> tuple[Probed, Tensor]:
    """Return what blurring does to a noisy form of a cube, and the true errors of every pixel."""
    noisy = cube + SIGMAS * torch.randn(cube.shape, generator=generator)
    signs = torch.randint(0, 2, cube.shape, generator=generator) * 2.0 - 1.0
    moved = blurred(noisy + 0.1 * SIGMAS * signs) - blurred(noisy)
    return Probed(blurred(noisy) - noisy, moved, signs / (0.1 * SIGMAS)), blurred(noisy) - cube


@pytest.mark.parametrize("doubt", [1.0, 1.1])
def test_the_level_is_the_true_one_even_where_the_noise_is_measured_ten_per_cent_wrong(doubt: float) -> None:
    generator = torch.Generator().manual_seed(0)
    clean = clean_scene(4, 128)
    probed, error = tried(clean, generator)
    # What is simulated starts at the blurred scene, which lacks what blurring loses, and is halved beside.
    simulated = 0.5 * tried(blurred(clean), generator)[1]
    sound = torch.ones_like(clean)
    variance = (doubt * SIGMAS.square()).expand_as(clean)
    level, true = error_level(probed, Simulated(simulated, sound), sound, variance), error.square().mean(dim=(1, 2))
    # What a mean over squares loses, edges, is least alike in neighbours: 0.58 is lost where the noise is weakest.
    assert float((level / true).log().abs().max()) < 0.65
    assert float((level / true).log().mean().abs()) < 0.25
    # The error itself by Stein's estimate would be wrong by the whole of what the variance is.
    assert float((0.1 * SIGMAS.square().flatten() / true).max()) > 0.5
    assert float((simulated.square().mean(dim=(1, 2)) / true).log().mean()) < -1.5


def test_pixels_that_are_no_noise_are_left_out() -> None:
    generator = torch.Generator().manual_seed(0)
    clean = clean_scene(4, 112)
    probed, error = tried(clean, generator)
    simulated = Simulated(error, torch.ones_like(clean))
    sound = (torch.rand(clean.shape, generator=generator) > 0.1).float()
    hurt = Probed(torch.where(sound > 0, probed.removed, 5.0), probed.moved, probed.signs)
    level = error_level(hurt, simulated, sound, SIGMAS.square().expand_as(clean))
    assert float((level / error.square().mean(dim=(1, 2))).log().abs().max()) < 0.4


def test_a_band_without_a_sound_pixel_has_the_simulated_level_times_that_of_the_others() -> None:
    generator = torch.Generator().manual_seed(0)
    probed, error = tried(clean_scene(4, 112), generator)
    sound = torch.ones_like(error)
    sound[2] = 0.0
    level = error_level(probed, Simulated(error, torch.ones_like(error)), sound, SIGMAS.square().expand_as(error))
    assert torch.isfinite(level).all()
    assert float(level[2] / error[2].square().mean()) == pytest.approx(1.0, abs=0.3)


def test_neighbours_are_no_pixel_twice() -> None:
    mirrored = {(-rows, -columns) for rows, columns in LAGS}
    assert len(set(LAGS)) == len(LAGS)
    assert (0, 0) not in LAGS
    assert not set(LAGS) & mirrored


def test_small_scenes_take_twice_the_simulated_error() -> None:
    generator = torch.Generator().manual_seed(0)
    probed, error = tried(clean_scene(4, 64), generator)
    level = error_level(probed, Simulated(error, torch.ones_like(error)), torch.ones_like(error), SIGMAS.square())
    assert torch.allclose(level, 2.0 * error.square().mean(dim=(1, 2)))


def test_bands_that_hold_the_same_noise_tell_nothing_of_their_own_factor() -> None:
    generator = torch.Generator().manual_seed(0)
    probed, error = tried(clean_scene(4, 112), generator)
    sound, variance = torch.ones_like(error), SIGMAS.square().expand_as(error)
    removed = probed.removed.clone()
    # A copy of the first band in the second's place, and neighbours that are alike in both as no noise is.
    removed[0] += 0.1
    removed[1] = removed[0]
    copied = error_level(Probed(removed, probed.moved, probed.signs), Simulated(error, sound), sound, variance)
    assert float((copied[:2] / error[:2].square().mean(dim=(1, 2))).log().abs().max()) < 0.5
