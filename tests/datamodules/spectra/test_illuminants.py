"""Illuminants of the sample scenes against published numbers."""

from __future__ import annotations

import numpy as np
import pytest

from datamodules.spectra.illuminants import ILLUMINANTS, illuminant


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


def test_black_bodies_are_planck_s_law() -> None:
    h, c, k = 6.62607015e-34, 299792458.0, 1.380649e-23
    metres = np.arange(400, 701, 10) * 1e-9
    for name, kelvin in (("incandescent", 2856.0), ("halogen", 3400.0), ("skylight", 9500.0)):
        expected = 2 * h * c**2 / metres**5 / (np.exp(h * c / (metres * k * kelvin)) - 1)
        np.testing.assert_allclose(illuminant(name), expected / expected.mean(), rtol=1e-3)
