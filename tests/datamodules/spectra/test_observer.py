"""Illuminants and observer against published numbers."""

import numpy as np
import pytest

from datamodules.spectra.illuminants import ILLUMINANTS, illuminant
from datamodules.spectra.observer import colour_matching_functions, colour_matrix


@pytest.mark.parametrize("name", ILLUMINANTS)
def test_every_illuminant_is_positive_with_mean_one(name: str) -> None:
    power = illuminant(name)
    assert power.shape == (31,)
    assert power.min() > 0
    assert power.mean() == pytest.approx(1.0, abs=1e-12)


def test_incandescent_is_cie_illuminant_a() -> None:
    power = illuminant("incandescent")
    # CIE standard illuminant A at 400, 500, 600 and 700 nm, relative to 560 nm = 100.
    np.testing.assert_allclose(100 * power[[0, 10, 20, 30]] / power[16], [14.71, 59.86, 129.04, 198.26], rtol=2e-3)


def test_daylight_is_bluer_than_incandescent_light() -> None:
    assert illuminant("d65")[5] / illuminant("d65")[25] == pytest.approx(117.01 / 80.03)
    assert illuminant("incandescent")[5] < 0.25 * illuminant("incandescent")[25]


def test_an_unknown_illuminant_is_named() -> None:
    with pytest.raises(ValueError, match=r"no illuminant called 'candle'.*choose equal_energy, d65"):
        illuminant("candle")


def test_colour_matching_functions_are_near_the_cie_table() -> None:
    functions = colour_matching_functions()
    # CIE 1931: x(600) = 1.0622, y(560) = 0.9950, z(450) = 1.7721, y(500) = 0.3230.
    assert functions[0, 20] == pytest.approx(1.0622, abs=0.03)
    assert functions[1, 16] == pytest.approx(0.9950, abs=0.02)
    assert functions[2, 5] == pytest.approx(1.7721, abs=0.06)
    assert functions[1, 10] == pytest.approx(0.3230, abs=0.03)


def test_white_is_white_and_pure_lights_have_their_hue() -> None:
    matrix = colour_matrix()
    np.testing.assert_allclose(matrix @ np.ones(31), np.ones(3), atol=1e-12)
    assert matrix[:, 23].argmax() == 0
    assert matrix[:, 13].argmax() == 1
    assert matrix[:, 5].argmax() == 2
