"""A folder with one PNG a band, as CAVE is distributed."""

import io
import re
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from datamodules.scenes.facts.causes import raise_true_cause
from datamodules.scenes.facts.limits import MAX_BYTES, TooLargeError, check_bytes
from hyperalign.errors import InputError, MissingFileError

_BAND = re.compile(r"_(\d{2})\.png$", re.IGNORECASE)


def band_files(folder: Path) -> dict[int, Path]:
    """Return the PNG of each band by the two digits at the end of its name; other files are left out.

    Args:
        folder: holds `..._01.png`, `..._02.png`, ...

    Raises:
        ValueError: if two files carry the same digits.
    """
    bands: dict[int, Path] = {}
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        if (match := _BAND.search(path.name)) and not path.name.startswith("."):
            band = int(match[1])
            if band in bands:
                raise InputError(
                    f"The folder {folder} has two files for band {band:02d}, {bands[band].name} and {path.name}: "
                    "remove the one that does not belong there."
                )
            bands[band] = path
    return bands


def read_png_stack(folder: Path, bands: int) -> Tensor:
    """Read bands 01 .. `bands` of a folder.

    Every file is divided by the largest value of its own type, 65535 or 255: one CAVE scene is 8-bit RGBA among
    16-bit grey ones and would otherwise come out 257 times too dark.

    Args:
        folder: holds `..._01.png`, `..._02.png`, ...
        bands: how many there must be.

    Returns:
        `bands x H x W`, float32, [0, 1].

    Raises:
        FileNotFoundError: naming the bands that have no file.
        ValueError: for a file that is truncated, is a colour picture, or has another size than the first.
    """
    files = band_files(folder)
    if missing := [f"{band:02d}" for band in range(1, bands + 1) if band not in files]:
        raise MissingFileError(
            f"The scene folder {folder} lacks the PNG of band {', '.join(missing)} of {bands}: "
            "copy the missing files there, or unpack the scene again."
        )
    planes: list[NDArray[np.float32]] = []
    for band in range(1, bands + 1):
        plane = _read_plane(files[band])
        if planes and plane.shape != planes[0].shape:
            raise InputError(
                f"The picture {files[band]} has {plane.shape[0]} x {plane.shape[1]} pixels where the first band has "
                f"{planes[0].shape[0]} x {planes[0].shape[1]}: unpack the scene again."
            )
        planes.append(plane)
    return torch.from_numpy(np.stack(planes))


def _read_plane(path: Path) -> NDArray[np.float32]:
    """Read one PNG as grey values in [0, 1]."""
    pixels = read_pixels(path)
    return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)


def read_pixels(path: Path) -> NDArray[Any]:
    """Read one PNG as grey values of 8 or 16 bits.

    Raises:
        ValueError: for a file that is truncated or a colour picture.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise_true_cause(path, error)
        raise
    try:
        with warnings.catch_warnings():
            # The limit of this house is stated and counted in bytes.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
                check_bytes(path, (*image.size, len(image.getbands())), np.int32, MAX_BYTES, "whole")
                pixels = np.asarray(image)
    except TooLargeError:
        raise
    except Image.DecompressionBombError as error:
        raise TooLargeError(
            f"The picture {path} of {len(data)} bytes claims more pixels than are read from a PNG file: save the cube "
            "in another format."
        ) from error
    except (OSError, SyntaxError, ValueError, KeyError, IndexError, struct.error, zlib.error) as error:
        raise InputError(
            f"The picture {path} of {len(data)} bytes is truncated or damaged: unpack or download it again."
        ) from error
    # The decoder is content once it has all pixels; a file without its end mark has still been cut.
    if b"IEND" not in data[-1024:]:
        raise InputError(f"The picture {path} of {len(data)} bytes is truncated: unpack or download it again.")
    if pixels.ndim == 3:
        colours = pixels[..., :3] if pixels.shape[-1] >= 3 else pixels[..., :1]
        if (colours != colours[..., :1]).any():
            raise InputError(f"The picture {path} is in colour where one grey band is expected: unpack it again.")
        pixels = colours[..., 0]
    if pixels.dtype not in (np.uint8, np.uint16):
        raise InputError(f"The picture {path} has {pixels.dtype} values where 8 or 16 bits are expected: convert it.")
    return pixels
