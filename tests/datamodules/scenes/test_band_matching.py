"""Bands meet by wavelength: exactly, by the nearest, by interpolation, or not at all."""

from __future__ import annotations

import numpy as np
import pytest

from datamodules.scenes.band_matching import band_centres, match_bands

TRAINED = tuple(400.0 + 10 * band for band in range(31))


def cube_of(centres: tuple[float, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """2 x 2 pixels, the value being the wavelength / 1000, plus 0.1 in the last pixel."""
    cube = np.empty((len(centres), 2, 2), dtype=np.float32)
    cube[:] = np.array(centres, dtype=np.float32)[:, None, None] / 1000
    cube[:, 1, 1] += 0.1
    return cube


def test_the_same_bands_in_another_order_are_put_right_and_back() -> None:
    own = tuple(centre + 0.5 for centre in reversed(TRAINED))
    match = match_bands(own, TRAINED, "refuse", "The cube x")
    matched = match.apply(cube_of(own))
    np.testing.assert_allclose(matched[:, 0, 0] * 1000, np.array(TRAINED) + 0.5, atol=1e-3)
    assert match.wavelengths == own
    np.testing.assert_array_equal(matched[list(match.kept)], cube_of(own))
    assert match.held == ()


@pytest.mark.parametrize("own", [TRAINED[:-1], (*TRAINED, 710.0), tuple(centre + 1.1 for centre in TRAINED)])
def test_other_bands_are_refused_with_the_two_ways_out(own: tuple[float, ...]) -> None:
    with pytest.raises(
        ValueError,
        match=r"^The cube x has \d+ bands from .* nm, but the network was trained on 31 bands from 400 to 700 nm: set "
        r"data\.init_args\.bands to select \(.*\) or to interpolate \(.*\)\.$",
    ):
        match_bands(own, TRAINED, "refuse", "The cube x")


def test_select_takes_the_nearest_bands_and_writes_their_own_wavelengths() -> None:
    own = tuple(np.arange(396.0, 1000.0, 3.7))
    match = match_bands(own, TRAINED, "select", "The cube x")
    assert len(set(match.wavelengths)) == 31
    assert max(abs(a - b) for a, b in zip(match.wavelengths, TRAINED, strict=True)) <= 1.85
    np.testing.assert_allclose(match.apply(cube_of(own))[:, 0, 0] * 1000, match.wavelengths, atol=1e-3)
    assert match.kept == tuple(range(31))


def test_select_refuses_a_band_that_is_nearer_to_another_of_the_networks() -> None:
    own = tuple(np.linspace(430.0, 860.0, 102))
    with pytest.raises(
        ValueError,
        match=r"^The cube x has no band near 3 of the network's 31 bands, the first 400 nm \(the nearest is 430 nm\):",
    ):
        match_bands(own, TRAINED, "select", "The cube x")


def test_interpolation_is_exact_on_linear_spectra_and_does_not_write_what_it_held() -> None:
    own = tuple(np.linspace(430.0, 860.0, 102))
    match = match_bands(own, TRAINED, "interpolate", "The cube x")
    matched = match.apply(cube_of(own))
    np.testing.assert_allclose(matched[3:, 0, 0] * 1000, TRAINED[3:], atol=1e-3)
    np.testing.assert_allclose(matched[:3, 0, 0], 0.43, atol=1e-6)
    np.testing.assert_allclose(matched[:, 1, 1] - matched[:, 0, 0], 0.1, atol=1e-6)
    assert match.held == (400.0, 410.0, 420.0)
    assert match.wavelengths == TRAINED[3:]
    assert match.kept == tuple(range(3, 31))
    np.testing.assert_allclose(match.weights.sum(axis=1), 1.0, atol=1e-6)
    # Bands beyond 700 nm reach the network nowhere, so they count for no maximum.
    assert own[int(match.used[-1])] < 705


def test_interpolation_of_unsorted_bands_equals_that_of_sorted_ones() -> None:
    own = np.linspace(390.0, 720.0, 50)
    order = np.random.default_rng(0).permutation(50)
    sorted_ones = match_bands(tuple(own), TRAINED, "interpolate", "x").apply(cube_of(tuple(own)))
    shuffled = match_bands(tuple(own[order]), TRAINED, "interpolate", "x").apply(cube_of(tuple(own[order])))
    np.testing.assert_allclose(shuffled, sorted_ones, atol=1e-6)


def test_a_sensor_of_another_range_is_refused_even_for_interpolation() -> None:
    with pytest.raises(
        ValueError, match=r"^The cube x has 200 bands from 900 to 1700 nm and covers 0 of the 31 bands from 400"
    ):
        match_bands(tuple(np.linspace(900, 1700, 200)), TRAINED, "interpolate", "The cube x")


def test_what_draws_on_a_missing_value_is_missing() -> None:
    match = match_bands((400.0, 405.0, 410.0, 420.0), (400.0, 407.0, 420.0), "interpolate", "x")
    mask = np.zeros((4, 1, 2), dtype=bool)
    mask[2, 0, 1] = True
    assert match.missing(mask)[:, 0].tolist() == [[False, False], [False, True], [False, False]]


def test_centres_are_written_as_a_list_or_as_a_range() -> None:
    assert band_centres("400:700:31", "here") == TRAINED
    assert band_centres([500, 510.5], "here") == (500.0, 510.5)
    for wrong in ("400:700", "400-700", "400:x:31"):
        with pytest.raises(
            ValueError, match=r"^The setting here is '.*', which is neither a list of centres nor FIRST"
        ):
            band_centres(wrong, "here")
