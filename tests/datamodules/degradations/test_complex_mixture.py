"""The complex mixture: which bands, columns and pixels are hit, read off the observation itself."""

import math
from typing import Any

import pytest
import torch

from datamodules.degradations import ComplexMixture
from datamodules.degradations.noise import Deadlines, GaussianNoise, Impulses, Stripes

LEVEL = 0.5  # a constant clean cube without Gaussian noise shows every structured noise exactly


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def observed(convention: str, seed: int, shape: tuple[int, int, int] = (31, 24, 64)) -> torch.Tensor:
    degradation = ComplexMixture(convention, sigmas=(0,))
    return degradation(torch.full(shape, LEVEL), seeded(seed))


def test_the_default_is_the_published_mixture() -> None:
    settings = ComplexMixture().settings()
    assert (settings["columns"], settings["stripe_amplitude"]) == ([0.05, 0.15], 0.25)
    assert (settings["sigmas"], settings["impulse_amounts"]) == ([10.0, 30.0, 50.0, 70.0], [0.1, 0.3, 0.5, 0.7])


def classify(band: torch.Tensor) -> str:
    """Name the noise of one band of an observation of the constant cube."""
    changed = band != LEVEL
    if not changed.any():
        return "none"
    columns = changed.any(dim=0)
    if not torch.equal(changed, columns.expand_as(changed)):
        return "impulse"
    return "dead" if (band[:, columns] == 0).all() else "stripe"


def test_disjoint_thirds_counts_are_those_of_the_published_rule() -> None:
    stripe_counts: set[int] = set()
    dead_counts: set[int] = set()
    amounts: list[float] = []
    salts: list[float] = []
    for seed in range(60):
        observation = observed("disjoint_thirds", seed)
        kinds = [classify(band) for band in observation]
        assert {kind: kinds.count(kind) for kind in set(kinds)} == {"stripe": 10, "dead": 10, "impulse": 10, "none": 1}
        for band, kind in zip(observation, kinds, strict=True):
            columns = (band != LEVEL).any(dim=0)
            if kind == "stripe":
                stripe_counts.add(int(columns.sum()))
                assert (band == band[:1]).all()
                assert (band[0, columns] - LEVEL).abs().max() <= 0.25
            elif kind == "dead":
                dead_counts.add(int(columns.sum()))
            elif kind == "impulse":
                hit = band != LEVEL
                assert set(band[hit].tolist()) <= {0.0, 1.0}
                amounts.append(hit.double().mean().item())
                salts.append(band[hit].double().mean().item())
    assert stripe_counts == set(range(3, 9))  # [floor(0.05 * 64), floor(0.15 * 64))
    assert dead_counts == set(range(4, 10))  # [ceil(0.05 * 64), ceil(0.15 * 64))
    rounded = [min((0.1, 0.3, 0.5, 0.7), key=lambda amount: abs(amount - share)) for share in amounts]
    for share, amount in zip(amounts, rounded, strict=True):
        assert abs(share - amount) < 5 * math.sqrt(amount * (1 - amount) / (24 * 64))
    for amount in (0.1, 0.3, 0.5, 0.7):
        assert rounded.count(amount) / 600 == pytest.approx(0.25, abs=5 * math.sqrt(0.1875 / 600))
    assert sum(salts) / 600 == pytest.approx(0.5, abs=0.005)


def test_stripe_offsets_are_uniform_and_all_bands_and_columns_equally_likely() -> None:
    shape, seeds = (6, 1, 40), 1500
    columns, bands, offsets = torch.zeros(40), torch.zeros(6), []
    for seed in range(seeds):
        stripes = ComplexMixture().draw(shape, seeded(seed)).parts[1]
        assert isinstance(stripes, Stripes)
        bands[stripes.bands] += 1
        columns += (stripes.offsets != 0).sum(dim=0)
        offsets.append(stripes.offsets[stripes.offsets != 0])
    drawn = torch.cat(offsets).double()
    assert drawn.mean().item() == pytest.approx(0, abs=5 * 0.5 / math.sqrt(12 * len(drawn)))
    assert drawn.std().item() == pytest.approx(0.5 / math.sqrt(12), rel=0.03)
    assert drawn.min() < -0.245
    assert drawn.max() > 0.245
    assert (bands / seeds - 1 / 3).abs().max() < 5 * math.sqrt(2 / 9 / seeds)
    share = columns / (2 * seeds)
    assert share.mean().item() == pytest.approx(3.5 / 40, abs=0.003)  # counts 2, 3, 4, 5 of 40
    assert (share - 3.5 / 40).abs().max() < 5 * math.sqrt(0.0875 * 0.9125 / (2 * seeds))


def test_gaussian_noise_comes_first_and_reaches_every_band() -> None:
    degradation, shape = ComplexMixture(), (31, 32, 64)
    clean = torch.rand(shape, generator=seeded(0))
    gaussian, stripes, dead, impulses = degradation.draw(shape, seeded(4)).parts
    assert isinstance(gaussian, GaussianNoise)
    assert isinstance(stripes, Stripes)
    assert isinstance(dead, Deadlines)
    assert isinstance(impulses, Impulses)
    noisy, observation = clean + gaussian.field, degradation(clean, seeded(4))
    only_gaussian = set(range(31)) - set(torch.cat([stripes.bands, dead.bands, impulses.bands]).tolist())
    assert len(only_gaussian) == 1
    assert torch.equal(observation[list(only_gaussian)], noisy[list(only_gaussian)])
    assert torch.equal(observation[stripes.bands], noisy[stripes.bands] - stripes.offsets[:, None, :])
    untouched = ~dead.dead[:, None, :].expand(-1, 32, -1)
    assert torch.equal(observation[dead.bands][untouched], noisy[dead.bands][untouched])
    assert (observation[dead.bands][~untouched] == 0).all()
    hit = impulses.salt | impulses.pepper
    assert not (impulses.salt & impulses.pepper).any()
    assert torch.equal(observation[impulses.bands][~hit], noisy[impulses.bands][~hit])
    assert torch.equal(observation[impulses.bands][hit], impulses.salt[hit].float())
    assert ((gaussian.field.std(dim=(1, 2)) / gaussian.sigmas - 1).abs() < 0.09).all()


def test_independent_thirds_overlap_and_deadlines_come_last() -> None:
    overlaps = []
    for seed in range(40):
        parts = ComplexMixture("independent_thirds").draw((31, 8, 64), seeded(seed)).parts
        gaussian, impulses, stripes, deadlines = parts
        assert isinstance(gaussian, GaussianNoise)
        assert isinstance(impulses, Impulses)
        assert isinstance(stripes, Stripes)
        assert isinstance(deadlines, Deadlines)
        impulsive, striped, dead = (set(part.bands.tolist()) for part in (impulses, stripes, deadlines))
        assert len(impulsive) == len(striped) == len(dead) == 10
        overlaps.append(len(impulsive & striped))
        observation = ComplexMixture("independent_thirds")(torch.full((31, 8, 64), LEVEL), seeded(seed))
        for band, columns in zip(deadlines.bands, deadlines.dead, strict=True):
            assert (observation[band][:, columns] == 0).all()
    assert sum(overlaps) / 40 == pytest.approx(100 / 31, abs=5 * 1.25 / math.sqrt(40))


@pytest.mark.parametrize(
    ("convention", "kinds"),
    [("random_one", {"none", "impulse", "stripe", "dead"}), ("random_structured", {"impulse", "stripe", "dead"})],
)
def test_training_rules_give_exactly_one_structured_noise(convention: str, kinds: set[str]) -> None:
    drawn = []
    for seed in range(400):
        found = [classify(band) for band in observed(convention, seed, (6, 4, 40))]
        touched = set(found) - {"none"}
        assert len(touched) <= 1
        assert len(found) - found.count("none") == (2 if touched else 0)
        drawn.append(touched.pop() if touched else "none")
    assert set(drawn) == kinds
    for kind in kinds:
        share = 1 / len(kinds)
        assert drawn.count(kind) / 400 == pytest.approx(share, abs=5 * math.sqrt(share * (1 - share) / 400))


def test_one_amount_for_all_bands_only_under_random_structured() -> None:
    def several(convention: str) -> set[int]:
        parts = [ComplexMixture(convention).draw((31, 2, 40), seeded(seed)).parts for seed in range(40)]
        impulses = [part for drawn in parts for part in drawn if isinstance(part, Impulses)]
        return {len(set(part.amounts.tolist())) for part in impulses}

    assert several("random_structured") == {1}
    assert max(several("random_one")) == 4


def test_stripes_of_no_height_change_nothing() -> None:
    degradation = ComplexMixture(sigmas=(0,), stripe_amplitude=0.0, impulse_amounts=(0.0,))
    changed = degradation(torch.full((9, 8, 64), LEVEL), seeded(0)) != LEVEL
    assert int(changed.any(dim=2).any(dim=1).sum()) == 3  # the dead lines' bands


def test_three_and_five_bands() -> None:
    for bands, each, left in ((3, 1, 0), (5, 1, 2)):
        kinds = [classify(band) for band in observed("disjoint_thirds", 0, (bands, 16, 64))]
        assert [kinds.count(kind) for kind in ("stripe", "dead", "impulse", "none")] == [each, each, each, left]


def test_arguments_reach_the_noise() -> None:
    degradation = ComplexMixture(sigmas=(0,), columns=(0.2, 0.21), stripe_amplitude=0.01, impulse_amounts=(1.0,))
    observation = degradation(torch.full((9, 16, 100), LEVEL), seeded(1))
    changed = (observation != LEVEL).any(dim=1).sum(dim=1)
    full = observation[changed == 100]  # an amount of 1 leaves no pixel as it was
    assert len(full) == 3
    assert set(full.unique().tolist()) == {0.0, 1.0}
    rest = observation[changed != 100]
    assert sorted(classify(band) for band in rest) == ["dead"] * 3 + ["stripe"] * 3
    assert (changed[changed != 100] == 20).all()
    assert max((band - LEVEL).abs().max().item() for band in rest if classify(band) == "stripe") <= 0.0100001


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            {"convention": "thirds"},
            "complex mixture is 'thirds' but must be one of disjoint_thirds, independent_thirds",
        ),
        ({"sigmas": (-1,)}, "must hold finite standard deviations >= 0"),
        ({"sigma_convention": "any"}, "is 'any' but must be one of band_choice"),
        ({"columns": (0.15, 0.05)}, r"share of columns \[0.15, 0.05\) must satisfy 0 <= low < high <= 1"),
        ({"columns": (0.05, 1.5)}, "must satisfy 0 <= low < high <= 1"),
        ({"stripe_amplitude": -0.25}, "stripe_amplitude is -0.25 but must be a finite number >= 0"),
        ({"impulse_amounts": (0.1, 1.1)}, r"impulse_amounts is \[0.1, 1.1\] but must hold probabilities in \[0, 1\]"),
        ({"impulse_amounts": ()}, r"impulse_amounts is \[\] but must hold"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        ComplexMixture(**arguments)


def test_too_few_bands_and_too_narrow_cubes_are_refused() -> None:
    with pytest.raises(ValueError, match="thirds of the bands but the cube has only 2; give at least 3 bands"):
        ComplexMixture()(torch.zeros(2, 16, 64), seeded(0))
    with pytest.raises(
        ValueError, match="width 6 is too narrow for column noise on 5% to 15% of its columns; use wider"
    ):
        ComplexMixture()(torch.zeros(31, 16, 6), seeded(0))
