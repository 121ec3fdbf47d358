"""Gaussian noise: sigmas by convention, and the noise has them."""

import math
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from datamodules.degradations import NonIIDGaussian


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_noise_has_the_drawn_sigma_in_every_band() -> None:
    degradation, shape = NonIIDGaussian(), (31, 96, 96)
    clean = torch.rand(shape, generator=seeded(0))
    sigmas = degradation.draw(shape, seeded(1)).sigmas
    noise = (degradation(clean, seeded(1)) - clean).double()
    count = 96 * 96
    assert set((sigmas * 255).round().int().tolist()) == {10, 30, 50, 70}
    # Five standard errors of a standard deviation, a mean and a fourth moment of Gaussian samples.
    assert ((noise.std(dim=(1, 2)) / sigmas - 1).abs() < 5 / math.sqrt(2 * count)).all()
    assert ((noise.mean(dim=(1, 2)) / sigmas).abs() < 5 / math.sqrt(count)).all()
    standard = noise / sigmas[:, None, None]
    assert abs((standard**4).mean().item() - 3) < 5 * math.sqrt(96 / (31 * count))
    correlation = torch.corrcoef(standard.flatten(1)) - torch.eye(31)
    assert correlation.abs().max() < 5.5 / math.sqrt(count)
    neighbours = (standard[:, 1:] * standard[:, :-1]).mean() * math.sqrt(31 * 95 * 96)
    assert neighbours.abs() < 5


def test_observation_is_not_clipped() -> None:
    observation = NonIIDGaussian((70,))(torch.zeros(3, 64, 64), seeded(0))
    assert observation.min() < -0.5
    assert (observation < 0).float().mean() == pytest.approx(0.5, abs=0.03)


def test_band_choice_takes_each_candidate_equally_often() -> None:
    sigmas = torch.cat([NonIIDGaussian().draw((31, 1, 1), seeded(seed)).sigmas for seed in range(100)]) * 255
    for value in (10, 30, 50, 70):
        share = (sigmas - value).abs().lt(1e-9).double().mean().item()
        assert share == pytest.approx(0.25, abs=5 * math.sqrt(0.1875 / 3100))


def test_band_uniform_fills_the_range() -> None:
    sigmas = torch.stack(
        [NonIIDGaussian((15, 55), "band_uniform").draw((31, 1, 1), seeded(s)).sigmas for s in range(100)]
    )
    values = sigmas.flatten() * 255
    assert values.min() >= 15
    assert values.max() < 55
    assert values.mean().item() == pytest.approx(35, abs=5 * 40 / math.sqrt(12 * 3100))
    assert values.std().item() == pytest.approx(40 / math.sqrt(12), abs=0.5)
    assert (sigmas.std(dim=1) > 0).all()


@pytest.mark.parametrize(("convention", "sigmas"), [("cube_uniform", (10, 70)), ("cube_choice", (10, 30, 50, 70))])
def test_cube_conventions_give_all_bands_one_sigma(convention: str, sigmas: tuple[float, ...]) -> None:
    degradation = NonIIDGaussian(sigmas, convention)
    drawn = torch.stack([degradation.draw((31, 1, 1), seeded(seed)).sigmas for seed in range(100)]) * 255
    assert (drawn == drawn[:, :1]).all()
    assert drawn.min() >= 10 - 1e-9
    assert drawn.max() <= 70 + 1e-9
    assert len(drawn[:, 0].unique()) == (100 if convention == "cube_uniform" else 4)
    assert drawn[:, 0].mean().item() == pytest.approx(40, abs=11)


def test_sigma_zero_changes_nothing() -> None:
    clean = torch.rand(4, 8, 8, generator=seeded(0))
    assert torch.equal(NonIIDGaussian((0,))(clean, seeded(1)), clean)


def test_double_cubes_stay_double() -> None:
    assert NonIIDGaussian()(torch.zeros(2, 4, 4, dtype=torch.float64), seeded(1)).dtype == torch.float64


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (((10, -30), "band_choice"), r"sigmas is \[10.0, -30.0\] but must hold finite standard deviations >= 0"),
        (((float("nan"),), "band_choice"), "must hold finite standard deviations"),
        (((float("inf"),), "band_choice"), "must hold finite standard deviations"),
        (((), "band_choice"), r"sigmas is \[\] but must hold"),
        (((10, 30, 50), "band_uniform"), r"convention 'band_uniform' takes two values, \[lowest, highest\]"),
        (((70, 10), "cube_uniform"), r"convention 'cube_uniform' takes two values, \[lowest, highest\]"),
        (((10,), "iid"), "is 'iid' but must be one of band_choice, band_uniform, cube_choice, cube_uniform"),
    ],
)
def test_bad_arguments_are_refused(arguments: tuple[Any, ...], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        NonIIDGaussian(*arguments)


def test_generators_of_an_accelerator_are_refused() -> None:
    generator = cast("torch.Generator", SimpleNamespace(device=torch.device("cuda")))
    with pytest.raises(ValueError, match=r"needs a CPU torch.Generator but got one on cuda"):
        NonIIDGaussian()(torch.zeros(2, 4, 4), generator)
