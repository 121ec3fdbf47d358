"""The built-in scenes: deterministic, bounded, spectrally rich, and a target domain that differs."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from datamodules.spectra import (
    ILLUMINANTS,
    OBSERVED,
    TRAINING,
    UNOBSERVED,
    VALIDATION,
    SampleSettings,
    plot_of,
    sample_cube,
)
from datamodules.spectra.photographs import PLOTS

_SOURCE = ("astronaut_01", "chelsea_04", "coffee_02", "tissue_06", "astronaut_09", "coffee_08")


def dimension(cubes: list[NDArray[np.float32]], share: float = 1e-3) -> int:
    """Number of principal spectra that hold all but `share` of the energy."""
    spectra = np.concatenate([cube.reshape(31, -1)[:, ::7] for cube in cubes], axis=1).astype(np.float64)
    energy = np.linalg.eigvalsh(spectra @ spectra.T)[::-1]
    return int((1 - np.cumsum(energy) / energy.sum() > share).sum()) + 1


@pytest.fixture(scope="module")
def source() -> list[NDArray[np.float32]]:
    return [sample_cube(name) for name in _SOURCE]


@pytest.fixture(scope="module")
def target() -> list[NDArray[np.float32]]:
    return [sample_cube(name) for name in ("motorcycle_01", "motorcycle_02")]


def test_the_default_sets_are_disjoint_and_large_enough() -> None:
    names = TRAINING + VALIDATION + OBSERVED + UNOBSERVED
    assert len(set(names)) == len(names)
    assert len(TRAINING) >= 40
    assert len(OBSERVED) >= 3
    assert len(UNOBSERVED) >= 3
    roles = [{plot_of(name) for name in group} for group in (TRAINING, VALIDATION, OBSERVED + UNOBSERVED)]
    assert not roles[0] & roles[1]
    assert not (roles[0] | roles[1]) & roles[2]
    assert roles[0] | roles[1] | roles[2] == set(PLOTS)


def test_cubes_are_bounded_and_have_the_stated_shape(
    source: list[NDArray[np.float32]], target: list[NDArray[np.float32]]
) -> None:
    for cube in source + target:
        assert cube.dtype == np.float32
        assert cube.shape[0] == 31
        assert min(cube.shape[1:]) >= 128
        assert max(cube.shape[1:]) <= 256
        assert cube.min() >= 0
        assert cube.max() <= 1
        assert np.isfinite(cube).all()
    assert all(cube.shape == (31, 184, 184) for cube in target)


def test_cubes_are_the_same_every_time_and_differ_between_seeds() -> None:
    first = sample_cube("coffee_03")
    np.testing.assert_array_equal(first, sample_cube("coffee_03"))
    other = sample_cube("coffee_03", SampleSettings(seed=1))
    side = min(first.shape[1], other.shape[1], first.shape[2], other.shape[2])
    assert np.abs(first[:, :side, :side] - other[:, :side, :side]).mean() > 0.01


def test_a_cube_is_the_one_it_has_always_been(source: list[NDArray[np.float32]]) -> None:
    # Band means of astronaut_01 (a PNG, so free of decoder differences); to be renewed together with the version in
    # `datamodules.sample_scenes` whenever the recipe changes.
    expected = [0.102652, 0.076980, 0.193201, 0.183810]
    np.testing.assert_allclose(source[0].mean(axis=(1, 2))[[0, 10, 20, 30]], expected, rtol=1e-4)


def test_spectra_span_many_dimensions_and_without_metamers_three(source: list[NDArray[np.float32]]) -> None:
    dimensions = [dimension([cube]) for cube in source]
    assert min(dimensions) >= 4
    assert np.mean(dimensions) >= 5
    assert dimension(source) >= 7
    plain = SampleSettings(metamers=0.0)
    assert max(dimension([sample_cube(name, plain)]) for name in _SOURCE[:3]) <= 3


def test_statistics_are_those_of_measured_cubes(source: list[NDArray[np.float32]]) -> None:
    # The eight CAVE scenes at hand: mean 0.05..0.30, root-mean-square step between bands 0.06..0.20 of the signal.
    for cube in source:
        assert 0.01 < cube.mean() < 0.35
        steps = np.sqrt((np.diff(cube, axis=0) ** 2).mean() / (cube**2).mean())
        assert 0.04 < steps < 0.25


def test_the_target_domain_is_shifted_and_its_tiles_agree(target: list[NDArray[np.float32]]) -> None:
    def shape(cube: NDArray[np.float32]) -> NDArray[np.float64]:
        mean: NDArray[np.float64] = cube.mean(axis=(1, 2), dtype=np.float64)
        return mean / float(mean.mean())

    still = [sample_cube(name, SampleSettings(target_shift=0.0)) for name in ("motorcycle_01", "motorcycle_02")]
    shift = np.abs(shape(target[0]) - shape(still[0])).mean()
    assert shift > 0.2
    assert shift > 2 * np.abs(shape(target[0]) - shape(target[1])).mean()
    assert target[0].mean() < still[0].mean()


def test_settings_outside_their_range_are_named() -> None:
    with pytest.raises(ValueError, match=r"`metamers` -0.1: choose a number from 0 to 2"):
        SampleSettings(metamers=-0.1)
    with pytest.raises(ValueError, match=r"`target_shift` nan"):
        SampleSettings(target_shift=float("nan"))
    with pytest.raises(ValueError, match=r"no illuminant called 'moon'"):
        replace(SampleSettings(), target_illuminant="moon")
    with pytest.raises(ValueError, match="empty list of illuminants: name at least one"):
        SampleSettings(illuminants=())
    assert all(SampleSettings(target_illuminant=name) for name in ILLUMINANTS)


def test_an_unknown_scene_is_named() -> None:
    with pytest.raises(ValueError, match=r"no sample scene called 'coffee_99': the names run from astronaut_01 to"):
        sample_cube("coffee_99")
