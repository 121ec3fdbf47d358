"""One subject measured: operations, bytes, seconds and memory by size, and how they grow."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from experiments.commands.benchmark.counting import counted
from experiments.commands.benchmark.subjects import SUBJECTS
from lightning_modules.metrics.device_cost import fewest_seconds


@dataclass(frozen=True)
class Size:
    """One size.

    Attributes:
        side: of the scene in pixels.
        bands: of it.
        products: operations of matrix products and convolutions.
        others: other operations.
        moved: bytes that all operations read and write.
        most: bytes of tensors alive at one time.
        seconds: of the fastest run.
    """

    side: int
    bands: int
    products: int
    others: int
    moved: int
    most: int
    seconds: float


@dataclass
class Measured:
    """One subject.

    Attributes:
        name: of it.
        by_side: sizes that differ in pixels, the smallest first.
        by_bands: sizes that differ in bands, the fewest first.
        refused: sentence by size of what the subject does not take.
    """

    name: str
    by_side: list[Size] = field(default_factory=list)
    by_bands: list[Size] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def reference(self) -> Size | None:
        """The largest of the sizes that differ in pixels."""
        return self.by_side[-1] if self.by_side else None

    def content(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return asdict(self)

    @classmethod
    def read(cls, content: dict[str, Any]) -> Measured:
        """Return what `content` gave."""
        sizes = {key: [Size(**one) for one in content[key]] for key in ("by_side", "by_bands")}
        return cls(content["name"], sizes["by_side"], sizes["by_bands"], dict(content["refused"]))


def measured(
    name: str, sides: Sequence[int], bands: Sequence[int], device: torch.device, longest: float = 20.0
) -> Measured:
    """Measure one subject.

    Args:
        name: of it.
        sides: of the scenes of the middle number of bands, in pixels.
        bands: of the scenes of the smallest side.
        device: where it runs.
        longest: seconds of a size after which no larger one is measured.
    """
    found = Measured(name)
    middle, small = _middle(bands), min(sides)
    known: dict[tuple[int, int], Size | None] = {}
    for side in sorted(sides):
        last = found.by_side[-1].seconds if found.by_side else 0.0
        if last > longest:
            found.refused[_told(side, middle)] = f"left out, since the size before took {last:.0f} s"
            continue
        known[side, middle] = size = _one(found, side, middle, device)
        found.by_side += [] if size is None else [size]
    for count in sorted(bands):
        size = known[small, count] if (small, count) in known else _one(found, small, count, device)
        if size is not None:
            found.by_bands.append(size)
    return found


def _middle(bands: Sequence[int]) -> int:
    ordered = sorted(bands)
    return ordered[len(ordered) // 2]


def _told(side: int, bands: int) -> str:
    return f"{side} x {side} x {bands}"


def _one(found: Measured, side: int, bands: int, device: torch.device) -> Size | None:
    """Count and time one size; a size that is refused is written down."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.manual_seed(0)
            work = SUBJECTS[found.name](side, bands, device)
            counter = counted(work)
            seconds = fewest_seconds(work, device, rounds=2, enough=2.0)
    except Exception as error:  # a size that a network does not take is no reason to leave the others out
        found.refused[_told(side, bands)] = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        return None
    return Size(side, bands, counter.products, counter.others, counter.moved, counter.most, seconds)


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float | None:
    """Return the slope of the least-squares line through the logarithms; None for fewer than two sizes.

    Args:
        sizes: positive, such as numbers of pixels.
        values: positive, such as seconds.
    """
    pairs = [(math.log(size), math.log(value)) for size, value in zip(sizes, values, strict=True) if value > 0]
    if len(pairs) < 2:
        return None
    means = [sum(axis) / len(pairs) for axis in zip(*pairs, strict=True)]
    spread = sum((size - means[0]) ** 2 for size, _ in pairs)
    return sum((size - means[0]) * (value - means[1]) for size, value in pairs) / spread if spread else None
