"""Random parameters of the degradations: band sigmas, bands, columns, impulses and noise fields.

Every number comes from a stream seeded by the caller's `torch.Generator`. The generator itself only supplies seeds:
torch's own normal numbers differ in the last bit between processors with and without wide vectors, while the
ziggurat numbers of NumPy, drawn in float64 and rounded once to float32, are the same on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from datamodules.degradations.base import check_choice
from datamodules.degradations.noise import Deadlines, GaussianNoise, Impulses, Stripes
from hyperalign.errors import InputError

SIGMA_CONVENTIONS = ("band_choice", "band_uniform", "cube_choice", "cube_uniform")


def random_stream(generator: torch.Generator) -> np.random.Generator:
    """Return a NumPy stream seeded by 126 bits of `generator` (which moves on).

    Raises:
        ValueError: the generator lives on an accelerator, whose numbers differ from model to model.
    """
    if generator.device.type != "cpu":
        raise InputError(f"A degradation needs a CPU torch.Generator but got one on {generator.device}.")
    seeds = torch.randint(0, 2**63 - 1, (2,), generator=generator, dtype=torch.int64)
    return np.random.Generator(np.random.PCG64(seeds.tolist()))


@dataclass(frozen=True)
class SigmaDraw:
    """How the standard deviation of the Gaussian noise of each band is drawn.

    Attributes:
        sigmas: candidate standard deviations on the 0 to 255 scale; the `_uniform` conventions take two, the lower
            and the upper end of a range.
        convention: `band_choice`: each band takes one of `sigmas` (SERT and QRNN3D, non-i.i.d.); `band_uniform`:
            each band draws from the range (SSUMamba, T3SC); `cube_choice` and `cube_uniform`: the same with one
            sigma for the whole cube (blind Gaussian training of TRQ3DNet; of SERT and MP-HSIR).
    """

    sigmas: Sequence[float]
    convention: str

    def __post_init__(self) -> None:
        """Check the arguments; raises ValueError with one sentence."""
        check_choice(self.convention, SIGMA_CONVENTIONS, "The convention of the Gaussian noise")
        if not self.sigmas or not all(0.0 <= sigma < np.inf for sigma in self.sigmas):
            raise InputError(
                f"sigmas is {list(self.sigmas)} but must hold finite standard deviations >= 0 on the 0 to 255 scale."
            )
        if self.convention.endswith("uniform") and (len(self.sigmas) != 2 or self.sigmas[0] > self.sigmas[1]):
            raise InputError(
                f"sigmas is {list(self.sigmas)} but convention {self.convention!r} takes two values, [lowest, highest]."
            )

    def draw(self, bands: int, stream: np.random.Generator) -> npt.NDArray[np.float64]:
        """Return the standard deviation of each of `bands` bands on the [0, 1] scale."""
        count = bands if self.convention.startswith("band") else 1
        values = np.asarray(self.sigmas, dtype=np.float64)
        if self.convention.endswith("choice"):
            drawn = values[stream.integers(0, len(values), count)]
        else:
            drawn = values[0] + (values[1] - values[0]) * stream.random(count)
        return np.broadcast_to(drawn / 255.0, (bands,)).copy()


def gaussian_noise(
    shape: tuple[int, int, int], sigmas: npt.NDArray[np.float64], stream: np.random.Generator
) -> GaussianNoise:
    """Draw Gaussian noise of the given band sigmas ([0, 1] scale) for a cube of `shape` (C, H, W)."""
    field = stream.standard_normal(shape)
    field *= sigmas[:, None, None]
    return GaussianNoise(torch.from_numpy(sigmas), torch.from_numpy(field.astype(np.float32)))


@dataclass(frozen=True)
class ColumnDraw:
    """How the columns hit by a stripe or a deadline are drawn: their number as a range of shares of the width.

    Attributes:
        low: share of the width that gives the smallest number of columns.
        high: share of the width that gives the excluded upper end of that number.
    """

    low: float = 0.05
    high: float = 0.15

    def __post_init__(self) -> None:
        """Check the arguments; raises ValueError with one sentence."""
        if not 0.0 <= self.low < self.high <= 1.0:
            raise InputError(f"The share of columns [{self.low}, {self.high}) must satisfy 0 <= low < high <= 1.")

    def draw(self, count: int, width: int, stream: np.random.Generator, *, round_up: bool) -> npt.NDArray[np.bool_]:
        """Return `count x width` booleans, True at the chosen distinct columns of each band.

        Args:
            count: number of bands.
            width: number of columns.
            stream: source of randomness.
            round_up: whether the two ends of the range are rounded up (deadlines) or down (stripes), as published.

        Raises:
            ValueError: the cube is so narrow that the range holds no integer.
        """
        rounding = np.ceil if round_up else np.floor
        lowest, highest = int(rounding(self.low * width)), int(rounding(self.high * width))
        if highest <= lowest:
            raise InputError(
                f"A cube of width {width} is too narrow for column noise on {self.low:.0%} to {self.high:.0%} of its "
                "columns; use wider patches."
            )
        counts = stream.integers(lowest, highest, count)
        ranks = np.argsort(np.argsort(stream.random((count, width)), axis=1, kind="stable"), axis=1, kind="stable")
        chosen: npt.NDArray[np.bool_] = ranks < counts[:, None]
        return chosen


@dataclass(frozen=True)
class StripeDraw:
    """Stripes: offsets uniform on [-amplitude, amplitude) on a random set of columns of each band.

    Attributes:
        columns: how many columns, rounded down at both ends.
        amplitude: largest offset, on the [0, 1] scale.
    """

    columns: ColumnDraw
    amplitude: float = 0.25

    def draw(self, shape: tuple[int, int, int], bands: Sequence[int], stream: np.random.Generator) -> Stripes:
        """Draw the stripes of the given bands of a cube of `shape` (C, H, W)."""
        chosen = self.columns.draw(len(bands), shape[2], stream, round_up=False)
        offsets = (stream.random(chosen.shape) * 2.0 - 1.0) * self.amplitude
        return Stripes(_band_index(bands), torch.from_numpy((offsets * chosen).astype(np.float32)))


@dataclass(frozen=True)
class DeadlineDraw:
    """Deadlines: a random set of columns of each band is dead.

    Attributes:
        columns: how many columns, rounded up at both ends.
    """

    columns: ColumnDraw

    def draw(self, shape: tuple[int, int, int], bands: Sequence[int], stream: np.random.Generator) -> Deadlines:
        """Draw the dead columns of the given bands of a cube of `shape` (C, H, W)."""
        chosen = self.columns.draw(len(bands), shape[2], stream, round_up=True)
        return Deadlines(_band_index(bands), torch.from_numpy(chosen))


@dataclass(frozen=True)
class ImpulseDraw:
    """Impulses: each pixel of a band is hit with the band's probability, and becomes 1 or 0 with equal chances.

    Attributes:
        amounts: probabilities from which each band takes one.
        shared: whether all bands take the same one.
    """

    amounts: Sequence[float]
    shared: bool = False

    def __post_init__(self) -> None:
        """Check the arguments; raises ValueError with one sentence."""
        if not self.amounts or not all(0.0 <= amount <= 1.0 for amount in self.amounts):
            raise InputError(f"impulse_amounts is {list(self.amounts)} but must hold probabilities in [0, 1].")

    def draw(self, shape: tuple[int, int, int], bands: Sequence[int], stream: np.random.Generator) -> Impulses:
        """Draw the impulses of the given bands of a cube of `shape` (C, H, W)."""
        index = stream.integers(0, len(self.amounts), 1 if self.shared else len(bands))
        amounts = np.broadcast_to(np.asarray(self.amounts, dtype=np.float64)[index], (len(bands),)).copy()
        level = stream.random((len(bands), *shape[1:]))
        # One uniform number decides both questions: its lower half range is pepper, its upper half range salt.
        pepper = level < 0.5 * amounts[:, None, None]
        salt = (level < amounts[:, None, None]) & ~pepper
        return Impulses(_band_index(bands), torch.from_numpy(amounts), torch.from_numpy(salt), torch.from_numpy(pepper))


def _band_index(bands: Sequence[int]) -> Tensor:
    """Return band numbers as an index tensor."""
    return torch.tensor([int(band) for band in bands], dtype=torch.int64)
