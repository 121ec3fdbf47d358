"""The colour matching functions against the table of the CIE."""

import numpy as np
import pytest

from datamodules.spectra.observer import colour_matching_functions, colour_matrix


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
