"""Opening pairs of files: which array of which file, on which scale, which channels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from datamodules.pairs.grid import pair_ratio
from datamodules.pairs.layouts import PairPaths, find_pairs
from datamodules.pairs.whole_part import whole_part
from datamodules.scenes.band_matching import BandMatch
from datamodules.scenes.readers import CubeFile, open_cube
from datamodules.scenes.readers.mat import NoVariableError
from hyperalign.errors import InputError

__all__ = ["OpenPair", "PairReader", "PairScale", "check_scale", "middle_of"]

PairScale = float | Literal["own"] | None
"""What multispectral values are divided by: a number, the largest of them, or what the hyperspectral ones are."""

_MIDDLE = 96
_APART = 8.0
"""Maxima of one ground in one unit differ less."""


@dataclass(frozen=True)
class OpenPair:
    """Both files of a pair, opened and found to lie on each other.

    Attributes:
        stem: what both are called.
        hyperspectral: the image of many bands.
        multispectral: the image of fine pixels.
        ratio: multispectral pixels along a hyperspectral one.
    """

    stem: str
    hyperspectral: CubeFile
    multispectral: CubeFile
    ratio: int


def check_scale(scale: PairScale, multispectral_scale: PairScale) -> None:
    """Refuse scales that are not positive numbers.

    Raises:
        InputError: naming them.
    """
    for name, value in (("scale", scale), ("multispectral_scale", multispectral_scale)):
        allowed = (None, "own") if name == "multispectral_scale" else (None,)
        if value not in allowed and not (isinstance(value, int | float) and 0.0 < value < math.inf):
            raise InputError(f"A {name} of {value} is not possible: give a positive number, or leave it out.")


def middle_of(pair: OpenPair, reader: PairReader) -> tuple[Tensor, Tensor]:
    """Return the middle of both images, at most 96 x 96 hyperspectral pixels, on their scale, with the channels wanted.

    Of a middle that lacks values it is the largest part that lacks none.

    Raises:
        ValueError: if values are missing everywhere in it, or for a damaged file.
    """
    _, height, width = pair.hyperspectral.shape
    rows, columns = min(height, _MIDDLE), min(width, _MIDDLE)
    middle = ((height - rows) // 2, (width - columns) // 2, rows, columns)
    place = whole_part(pair.stem, pair.hyperspectral, pair.multispectral, pair.ratio, middle)
    first, second = reader.scales(pair)
    low = torch.from_numpy(pair.hyperspectral.complete(*place).astype(np.float64))
    top, left, fine_rows, fine_columns = (side * pair.ratio for side in place)
    fine = pair.multispectral.complete(top, left, fine_rows, fine_columns)
    high = torch.from_numpy(fine.astype(np.float64))
    chosen = high if reader.channels is None else high[list(reader.channels)]
    return low / first, chosen / second


@dataclass(frozen=True)
class PairReader:
    """Where pairs lie and how they are read; see `datamodules.FusionPair` for its arguments.

    Attributes:
        root: file or folder.
        folders: of hyperspectral and multispectral images.
        suffixes: of their stems, in one folder.
        keys: arrays in files that hold several.
        axes: order of the axes of both, where their format does not say it.
        centres: of the bands of both in nm, where the files do not say them.
        scale: what both images are divided by; None takes the larger of their maxima.
        multispectral_scale: another number for the multispectral image.
        channels: numbers of the multispectral channels that are taken; None takes all.
    """

    root: Path
    folders: tuple[str, str]
    suffixes: tuple[str, str]
    keys: tuple[str | None, str | None]
    axes: tuple[str | None, str | None]
    centres: tuple[Sequence[float] | None, Sequence[float] | None]
    scale: float | None
    multispectral_scale: PairScale
    channels: tuple[int, ...] | None

    def find(self) -> dict[str, PairPaths]:
        """Return both files of every pair by its stem."""
        return find_pairs(self.root, self.folders, self.suffixes)

    def open(self, paths: PairPaths, which: int) -> CubeFile:
        """Open the hyperspectral (0) or the multispectral (1) image.

        Raises:
            InputError: for a damaged file, or where more is to be said about it, by the names that it has for a pair.
        """
        try:
            return open_cube(paths[which], key=self.keys[which], axes=self.axes[which], wavelengths=self.centres[which])
        except InputError as error:
            if type(error) not in (InputError, NoVariableError):  # of a kind of its own, which others tell apart
                raise
            kind = ("hyperspectral", "multispectral")[which]
            told = {f"`{word}`": f"`{kind}_{word}`" for word in ("axes", "key", "wavelengths")}
            told["`hyperspectral_wavelengths`"] = "`wavelengths`"
            told["as the key"] = f"as the `{kind}_key`"
            sentence = str(error)
            for word, name in told.items():
                sentence = sentence.replace(word, name)
            raise type(error)(sentence) from error

    def opened(self, stem: str, paths: PairPaths) -> OpenPair:
        """Open both images of a pair.

        Raises:
            InputError: if they do not lie on each other, or lack a channel that is asked for.
        """
        first, second = self.open(paths, 0), self.open(paths, 1)
        missing = [channel for channel in self.channels or () if not 0 <= channel < second.shape[0]]
        if missing:
            raise InputError(
                f"The multispectral image of {stem!r} has {second.shape[0]} channels, numbered from 0, and none of "
                f"number {missing[0]}: set data.init_args.channels to some that it has."
            )
        return OpenPair(stem, first, second, pair_ratio(stem, first, second))

    def scales(self, pair: OpenPair) -> tuple[float, float]:
        """Return what the values of both images are divided by.

        Raises:
            InputError: if an image holds nothing above 0, or one number cannot serve both.
        """
        second = self.multispectral_scale
        if self.scale is not None and isinstance(second, float | int):
            return self.scale, float(second)
        if self.scale is not None and second is None:
            return self.scale, self.scale
        highest = [file.maximum(0, 0, *file.shape[1:]) for file in (pair.hyperspectral, pair.multispectral)]
        if not all(high > 0 for high in highest):
            raise InputError(f"The pair {pair.hyperspectral.path} holds no value above 0: download it again.")
        first = self.scale
        if second == "own":
            return highest[0] if first is None else first, highest[1]
        if second is not None:
            return highest[0] if first is None else first, float(second)
        if max(highest) > _APART * min(highest):
            raise InputError(
                f"The two images of {pair.stem!r} reach {highest[0]:g} and {highest[1]:g}, which one unit cannot "
                "explain: set data.init_args.multispectral_scale to what the multispectral values are divided by, or "
                "to own, their largest one."
            )
        return max(highest), max(highest)

    def picked(self, file: CubeFile) -> BandMatch:
        """Return the match that takes the wanted channels of a multispectral image."""
        chosen = tuple(range(file.shape[0])) if self.channels is None else self.channels
        weights = np.eye(file.shape[0], dtype=np.float32)[list(chosen)]
        centres = self.channel_centres(file)
        return BandMatch(weights, tuple(range(len(chosen))), centres)

    def channel_centres(self, file: CubeFile) -> tuple[float, ...]:
        """Return the centres of the wanted channels in nm; their numbers from 1 where nobody says them."""
        known = file.wavelengths or tuple(float(number + 1) for number in range(file.shape[0]))
        return tuple(known) if self.channels is None else tuple(known[channel] for channel in self.channels)
