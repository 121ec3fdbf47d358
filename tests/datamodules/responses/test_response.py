"""Spectral responses: numbers of the packaged tables, any band centres, a user's own sensor."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules.responses import RESPONSES, SpectralResponse, gaussian_response, load_response

CAVE = tuple(range(400, 701, 10))
CHIKUSEI = tuple(np.linspace(363, 1018, 128))


def test_nikon_d700_on_cave_bands_is_the_published_table() -> None:
    matrix = load_response("nikon_d700").matrix(CAVE)
    assert matrix.shape == (3, 31)
    torch.testing.assert_close(matrix.sum(dim=1), torch.ones(3))
    # First band: 2 of 255, 1 of 203 and 7 of 251 parts.
    assert matrix[:, 0].tolist() == pytest.approx([2 / 255, 1 / 203, 7 / 251], rel=1e-6)
    assert [CAVE[int(row.argmax())] for row in matrix] == [610, 530, 460]


def test_nikon_d700_equals_the_reference_table(shared: Path) -> None:
    table = np.loadtxt(shared / "srf" / "nikon_d700.csv", delimiter=",", skiprows=1)
    matrix = load_response("nikon_d700").matrix(CAVE)
    np.testing.assert_allclose(matrix.numpy(), table[:, 1:].T, atol=1e-6)


def test_landsat_on_chikusei_bands_sees_what_each_channel_is_named_after() -> None:
    response = load_response("landsat8_oli")
    assert response.channels == ("blue", "green", "red", "nir")
    matrix = response.matrix(CHIKUSEI).double()
    assert (matrix >= 0).all()
    centres = (matrix * torch.tensor(CHIKUSEI)).sum(dim=1)
    torch.testing.assert_close(centres, torch.tensor([482.0, 561.0, 655.0, 865.0], dtype=torch.float64), rtol=0, atol=3)
    assert response.rgb == (2, 1, 0)


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


def test_a_user_adds_a_sensor_by_a_csv(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("# my camera\nwavelength_nm,r,g,b\n450,0,0,2\n550,0,3,0\n650,4,0,0\n")
    response = load_response(str(tmp_path / "mine.csv"))
    assert response.rgb == (0, 1, 2)
    assert response.matrix((450, 500, 550, 600, 650))[1].tolist() == pytest.approx([0, 0.25, 0.5, 0.25, 0])
    assert response.select(["b"]).channels == ("b",)


def test_part_outside_the_bands_is_warned_of() -> None:
    with pytest.warns(UserWarning, match=r"^Only \d+% of the channel red of the response landsat8_oli lies inside the"):
        load_response("landsat8_oli", ["red"]).matrix(tuple(range(400, 651, 10)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_response("landsat8_oli", ["red"]).matrix(tuple(range(400, 701, 10)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is malformed: its first row must be wavelength_nm"),
        ("nm,r\n400,1\n500,1\n", "is malformed"),
        ("wavelength_nm,r\n400,1\n500\n", "is malformed"),
        ("wavelength_nm,r\n400,x\n500,1\n", "is malformed"),
        ("wavelength_nm,r\n500,1\n400,1\n", "run from 500 to 400 and must rise, in nm"),
        ("wavelength_nm,r\n0.4,1\n0.5,1\n", "must rise, in nm"),
        ("wavelength_nm,r\n400,1\n500,-0.5\n", r"channel r .* falls to -0.5; a response cannot be negative"),
        ("wavelength_nm,r\n400,0\n500,0\n", "channel r .* is not finite or nowhere above 0"),
        ("wavelength_nm,r\n400,nan\n500,1\n", "channel r .* is not finite"),
        ("wavelength_nm,r\n400,1\n", "give one column per channel and at least two wavelengths"),
    ],
)
def test_bad_tables_are_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        load_response(str(tmp_path / "bad.csv"))


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
