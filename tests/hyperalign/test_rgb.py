"""Linear RGB for a display, pixel by pixel."""

from __future__ import annotations

import numpy as np
import torch

from hyperalign.rgb import DISPLAY_GAMMA, displayed


def test_displayed_is_gamma_encoded_and_clamped() -> None:
    rgb = torch.tensor([0.25, 1.5, -1.0]).view(3, 1, 1)
    assert np.allclose(displayed(rgb)[0, 0], [0.25 ** (1 / 2.2), 1.0, 0.0])


def test_every_pixel_keeps_its_place_and_decodes_to_its_light() -> None:
    rgb = torch.rand(3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    picture = displayed(rgb)
    assert picture.shape == (4, 5, 3)
    assert picture.dtype == np.float32
    for row in range(4):
        for column in range(5):
            light = [float(value) ** DISPLAY_GAMMA for value in picture[row, column]]
            np.testing.assert_allclose(light, rgb[:, row, column].tolist(), atol=1e-6)
