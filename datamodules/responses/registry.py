"""Reading response tables: the packaged ones by name, a user's own by path."""

from __future__ import annotations

import csv
from pathlib import Path

import torch

from datamodules.responses.response import SpectralResponse
from hyperalign.errors import InputError, MissingFileError

FOLDER = Path(__file__).parent
RESPONSES = tuple(sorted(path.stem for path in FOLDER.glob("*.csv")))
"""Names of the packaged tables."""

DEFAULT_CHANNELS = {"landsat8_oli": ("blue", "green", "red", "nir")}
"""Channels taken where none are named: of the Landsat-8 imager those 30 m bands that lie inside 363 to 1018 nm and are
not made for aerosols; CO2IF does not say which it used."""


def load_response(name: str, channels: list[str] | None = None) -> SpectralResponse:
    """Return a sensor's response.

    Args:
        name: one of `RESPONSES`, or the path of a CSV file whose first row is `wavelength_nm,CHANNEL,...`; rows that
            begin with # are comments. A sensor is added by such a file, no code is needed.
        channels: the channels to take, in this order; None takes the sensor's default.

    Raises:
        FileNotFoundError: there is neither a packaged table nor a file of this name.
        ValueError: the table is malformed, or a channel is unknown.
    """
    path = FOLDER / f"{name}.csv" if name in RESPONSES else Path(name)
    if not path.is_file():
        raise MissingFileError(
            f"There is no spectral response {name}; choose {', '.join(RESPONSES)}, or give the path of a CSV file."
        )
    response = _read(path)
    wanted = channels if channels is not None else DEFAULT_CHANNELS.get(name)
    return response if wanted is None else response.select(wanted)


def _read(path: Path) -> SpectralResponse:
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.reader(line for line in file if not line.startswith("#")) if row]
    try:
        numbers = [[float(value) for value in row] for row in rows[1:]]
        table = torch.tensor(numbers, dtype=torch.float64)
        sound = rows[0][0].strip() == "wavelength_nm" and table.shape == (len(rows) - 1, len(rows[0]))
    except (ValueError, IndexError, TypeError):
        sound = False
    if not sound:
        raise InputError(
            f"The spectral response {path} is malformed: its first row must be wavelength_nm and the channel names, "
            "every further row as many numbers."
        )
    channels = tuple(channel.strip() for channel in rows[0][1:])
    return SpectralResponse(path.stem, channels, tuple(table[:, 0].tolist()), table[:, 1:].t().contiguous())
