"""Spectral responses at any band centres, and what cannot be asked of them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from datamodules.responses import RESPONSES, SpectralResponse, gaussian_response, load_response

CAVE = tuple(range(400, 701, 10))
CHIKUSEI = tuple(np.linspace(363, 1018, 128))


def test_unequal_bands_count_by_their_width() -> None:
    flat = SpectralResponse("flat", ("all",), (300.0, 900.0), torch.ones(1, 2))
    with pytest.warns(UserWarning, match="Only 8% of the channel all"):
        matrix = flat.matrix((400.0, 410.0, 430.0))
    assert matrix.squeeze().tolist() == pytest.approx([10 / 45, 15 / 45, 20 / 45])


def test_gaussian_response_has_the_width_asked_for() -> None:
    response = gaussian_response("sensor", ["a", "b"], [500.0, 600.0], [20.0, 60.0])
    curve = response.matrix(tuple(range(400, 701)))
    for row, centre, width in zip(curve, (500, 600), (20, 60), strict=True):
        assert int(row.argmax()) + 400 == centre
        assert int((row >= row.max() / 2).sum()) == width + 1
        assert float(row.sum()) == pytest.approx(1, rel=1e-5)


def test_part_outside_the_bands_is_warned_of() -> None:
    with pytest.warns(UserWarning, match=r"^Only \d+% of the channel red of the response landsat8_oli lies inside the"):
        load_response("landsat8_oli", ["red"]).matrix(tuple(range(400, 651, 10)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_response("landsat8_oli", ["red"]).matrix(tuple(range(400, 701, 10)))


def test_bad_requests_are_one_sentence() -> None:
    with pytest.raises(FileNotFoundError, match=r"no spectral response canon; choose landsat8_oli, nikon_d700"):
        load_response("canon")
    with pytest.raises(ValueError, match="has no channel cyan; choose among red, green, blue"):
        load_response("nikon_d700", ["cyan"])
    with pytest.raises(ValueError, match="channel nir of the response landsat8_oli sees none of the bands between 400"):
        load_response("landsat8_oli").matrix(CAVE)
    with pytest.raises(ValueError, match=r"has no channel red \(it has nir\)"):
        _ = load_response("landsat8_oli", ["nir"]).rgb
    with pytest.raises(ValueError, match="give one centre and one width above 0 per channel"):
        gaussian_response("sensor", ["a"], [500.0], [0.0])
    assert RESPONSES == ("landsat8_oli", "nikon_d700")
