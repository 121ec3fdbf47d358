"""The bands of the sample scenes are those of CAVE."""

from __future__ import annotations

import numpy as np

from datamodules import CAVE
from datamodules.spectra.bands import WAVELENGTHS


def test_the_bands_are_those_of_cave_so_that_its_networks_take_them() -> None:
    assert len(WAVELENGTHS) == 31
    np.testing.assert_array_equal(WAVELENGTHS, np.linspace(400.0, 700.0, 31))
    assert CAVE("nowhere").wavelengths == WAVELENGTHS
