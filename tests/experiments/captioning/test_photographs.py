"""Scenes as pictures: one gain, display gamma, nearest bands or a camera."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from datamodules.responses import load_response
from experiments.captioning.photographs import Photographer

NM = tuple(float(nm) for nm in range(400, 701, 10))


def test_the_brightest_becomes_white_and_the_colours_keep_their_ratios() -> None:
    cube = torch.zeros(31, 4, 6)
    cube[26], cube[15], cube[7] = 0.08, 0.04, 0.02  # 660, 550 and 470 nm
    picture = Photographer(NM)(cube)
    assert picture.mode == "RGB"
    assert picture.size == (6, 4)
    expected = [255, round(255 * 0.5 ** (1 / 2.2)), round(255 * 0.25 ** (1 / 2.2))]
    assert np.asarray(picture)[2, 3].tolist() == expected == [255, 186, 136]


def test_a_camera_sees_all_bands_that_its_channels_cover() -> None:
    cube = torch.rand(31, 5, 5, generator=torch.Generator().manual_seed(0))
    camera = load_response("nikon_d700")
    rgb = torch.einsum("kc,chw->hwk", camera.matrix(NM)[list(camera.rgb)], cube).numpy()
    expected = np.round((rgb / np.quantile(rgb, 0.995)).clip(0, 1) ** (1 / 2.2) * 255)
    seen = np.asarray(Photographer(NM, "nikon_d700")(cube))
    assert np.abs(seen - expected).max() <= 1
    assert np.abs(seen.astype(float) - np.asarray(Photographer(NM)(cube))).mean() > 5


def test_a_black_scene_is_black() -> None:
    assert not np.asarray(Photographer(NM)(torch.zeros(31, 4, 4))).any()


def test_infrared_bands_are_refused() -> None:
    for response in (None, "nikon_d700"):
        with pytest.raises(ValueError, match=r"bands from 900 to 1000 nm do not cover 660 nm .* no RGB picture"):
            Photographer((900.0, 950.0, 1000.0), response)
