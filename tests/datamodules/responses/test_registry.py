"""Response tables: the packaged ones in numbers, a user's own by its path."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules.responses import RESPONSES, load_response
from datamodules.responses.registry import FOLDER

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


def test_a_user_adds_a_sensor_by_a_csv(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("# my camera\nwavelength_nm,r,g,b\n450,0,0,2\n550,0,3,0\n650,4,0,0\n")
    response = load_response(str(tmp_path / "mine.csv"))
    assert response.rgb == (0, 1, 2)
    assert response.matrix((450, 500, 550, 600, 650))[1].tolist() == pytest.approx([0, 0.25, 0.5, 0.25, 0])
    assert response.select(["b"]).channels == ("b",)


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


def test_channels_come_in_the_order_asked_for(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("wavelength_nm, r ,g\n\n450,1,2\n# within\n550,3,4\n")
    response = load_response(str(tmp_path / "mine.csv"), ["g", "r"])
    assert (response.name, response.channels) == ("mine", ("g", "r"))
    assert response.values.tolist() == [[2, 4], [1, 3]]
    assert response.wavelengths == (450.0, 550.0)


@pytest.mark.parametrize("name", RESPONSES)
def test_every_packaged_table_is_what_its_file_says(name: str) -> None:
    rows = [row for row in (FOLDER / f"{name}.csv").read_text().splitlines() if not row.startswith("#")]
    channels = rows[0].split(",")[1:]
    table = np.array([[float(value) for value in row.split(",")] for row in rows[1:]])
    response = load_response(name, channels)
    np.testing.assert_array_equal(response.values.numpy(), table[:, 1:].T)
    assert response.wavelengths == tuple(table[:, 0])
