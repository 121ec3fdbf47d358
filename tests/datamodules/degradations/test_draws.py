"""Random parameters of the degradations: each number's range, share and stream."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from datamodules.degradations.draws import (
    ColumnDraw,
    DeadlineDraw,
    ImpulseDraw,
    SigmaDraw,
    StripeDraw,
    gaussian_noise,
    random_stream,
)

PINNED = [186, 7, 317, 628]


def stream(seed: int = 0) -> np.random.Generator:
    return random_stream(torch.Generator().manual_seed(seed))


def test_a_stream_is_pinned_by_its_generator_and_moves_it_on() -> None:
    generator = torch.Generator().manual_seed(0)
    assert random_stream(generator).integers(0, 1000, 4).tolist() == PINNED
    assert random_stream(generator).integers(0, 1000, 4).tolist() != PINNED
    assert stream().integers(0, 1000, 4).tolist() == PINNED


@pytest.mark.parametrize("convention", ["band_choice", "band_uniform", "cube_choice", "cube_uniform"])
def test_sigmas_are_of_the_list_or_of_the_range(convention: str) -> None:
    drawn = np.stack([SigmaDraw((10, 70), convention).draw(6, stream(seed)) for seed in range(200)]) * 255
    assert drawn.shape == (200, 6)
    equal = (drawn == drawn[:, :1]).all(axis=1)
    assert equal.mean() == 1 if convention.startswith("cube") else equal.mean() < 0.1
    if convention.endswith("choice"):
        assert set(np.round(drawn.ravel(), 9)) == {10.0, 70.0}
    else:
        assert 10 <= drawn.min() < 12
        assert 68 < drawn.max() <= 70
    assert drawn.mean() == pytest.approx(40, abs=5)


def test_a_noise_field_is_the_streams_normal_numbers_times_the_sigmas() -> None:
    sigmas = np.array([0.1, 0.0, 2.0])
    noise = gaussian_noise((3, 4, 5), sigmas, stream())
    expected = stream().standard_normal((3, 4, 5)) * sigmas[:, None, None]
    assert np.array_equal(noise.field.numpy(), expected.astype(np.float32))
    assert noise.sigmas.tolist() == sigmas.tolist()


@pytest.mark.parametrize(("round_up", "counts"), [(False, {2, 3, 4, 5}), (True, {3, 4, 5, 6})])
def test_columns_are_distinct_and_their_number_is_of_the_range(round_up: bool, counts: set[int]) -> None:
    # 0.05 and 0.15 of 45 columns are 2.25 and 6.75.
    chosen = ColumnDraw().draw(400, 45, stream(), round_up=round_up)
    assert chosen.shape == (400, 45)
    assert set(chosen.sum(axis=1).tolist()) == counts
    assert np.abs(chosen.mean(axis=0) - chosen.mean()).max() < 0.06


def test_stripes_and_deadlines_carry_their_bands() -> None:
    bands = (4, 0)
    stripes = StripeDraw(ColumnDraw(0.2, 0.5), 0.25).draw((5, 3, 20), bands, stream())
    assert (stripes.bands.tolist(), tuple(stripes.offsets.shape)) == ([4, 0], (2, 20))
    assert 0 < int((stripes.offsets[0] != 0).sum()) < 10
    assert float(stripes.offsets.abs().max()) <= 0.25
    dead = DeadlineDraw(ColumnDraw(0.2, 0.5)).draw((5, 3, 20), bands, stream())
    assert (dead.bands.tolist(), tuple(dead.dead.shape)) == ([4, 0], (2, 20))
    assert 4 <= int(dead.dead[1].sum()) < 10


@pytest.mark.parametrize("shared", [False, True])
def test_impulses_hit_their_share_half_of_them_with_salt(shared: bool) -> None:
    impulses = ImpulseDraw((0.1, 0.5), shared).draw((8, 60, 50), range(8), stream(3))
    assert impulses.salt.shape == impulses.pepper.shape == (8, 60, 50)
    assert (len(set(impulses.amounts.tolist())) == 1) == shared
    hit = impulses.salt | impulses.pepper
    assert not (impulses.salt & impulses.pepper).any()
    share = hit.double().mean((1, 2))
    assert (share - impulses.amounts).abs().max() < 5 * (0.25 / 3000) ** 0.5
    assert float(impulses.salt.sum() / hit.sum()) == pytest.approx(0.5, abs=0.03)


def test_an_amount_of_zero_hits_nothing_and_of_one_everything() -> None:
    for amount in (0.0, 1.0):
        impulses = ImpulseDraw((amount,)).draw((1, 9, 9), (0,), stream())
        assert bool((impulses.salt | impulses.pepper).any()) == bool(amount)
        assert bool((impulses.salt | impulses.pepper).all()) == bool(amount)


def test_a_sigma_below_one_is_drawn() -> None:
    assert SigmaDraw((0.0, 0.5), "cube_uniform").draw(3, stream()).max() <= 0.5 / 255


def test_the_ends_of_what_may_be_drawn() -> None:
    assert SigmaDraw((10.0, 10.0), "band_uniform").draw(2, stream()).tolist() == [10 / 255, 10 / 255]
    assert (ColumnDraw().low, ColumnDraw().high, StripeDraw(ColumnDraw()).amplitude) == (0.05, 0.15, 0.25)
    chosen = ColumnDraw(0.0, 1.0).draw(300, 4, stream(), round_up=False)
    assert set(chosen.sum(axis=1).tolist()) == {0, 1, 2, 3}
    assert ImpulseDraw((0.5,)).shared is False


def test_what_cannot_be_drawn() -> None:
    for sigmas, convention, sentence in (
        ((), "band_choice", r"sigmas is \[\] but must hold finite standard deviations"),
        ((1.0, float("inf")), "band_choice", "must hold finite"),
        ((70.0, 10.0), "band_uniform", r"sigmas is \[70.0, 10.0\] but convention 'band_uniform' takes two values"),
        ((1.0,), "cube_uniform", "takes two values"),
        ((1.0,), "pixel", "convention of the Gaussian noise is 'pixel'"),
    ):
        with pytest.raises(ValueError, match=sentence):
            SigmaDraw(sigmas, convention)
    with pytest.raises(ValueError, match=r"share of columns \[0.2, 0.2\)"):
        ColumnDraw(0.2, 0.2)
    with pytest.raises(ValueError, match="cube of width 3 is too narrow for column noise on 5% to 15%"):
        ColumnDraw().draw(1, 3, stream(), round_up=True)
    with pytest.raises(ValueError, match=r"impulse_amounts is \[1.5\] but must hold probabilities"):
        ImpulseDraw((1.5,))
