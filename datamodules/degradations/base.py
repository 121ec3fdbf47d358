"""What every degradation is: a named, seeded rule that turns a clean cube into an observation."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from hyperalign.errors import InputError


class Corruption(Protocol):
    """One drawn corruption: a linear operator or a noise with all its random parameters fixed."""

    def apply(self, cube: Tensor) -> Tensor:
        """Return the corrupted `C x h x w` cube; the same input always gives the same output."""
        ...


class Degradation(ABC):
    """A restoration task's forward model, with the convention that the published codes disagree on as an argument.

    A degradation is made of two steps: `draw` fixes every random parameter (band sigmas, masks, columns, noise
    fields), and the drawn object is applied to the cube. A solver that needs the operator asks `draw` for it.

    Attributes:
        scale: spatial size of the target over that of the observation (1, or the factor of super-resolution).
    """

    scale: int = 1

    @property
    def phase(self) -> float:
        """Where an observation's pixel lies in its block of `scale` pixels of the target: 0 is the first one's centre.

        Whatever enlarges the observation takes the phase from here; the middle of the block where nothing else is said.
        """
        return (self.scale - 1) / 2

    @abstractmethod
    def draw(self, shape: Sequence[int], generator: torch.Generator) -> Corruption:
        """Draw the corruption of one cube.

        Args:
            shape: `(C, H, W)` of the clean cube.
            generator: CPU generator; the only source of randomness, so that equal states give equal corruptions on
                any machine and with any number of threads.

        Returns:
            The corruption, whose `apply` takes a cube of exactly this shape.

        Raises:
            ValueError: the shape is not one this degradation can work on.
        """

    @abstractmethod
    def settings(self) -> dict[str, int | float | str | list[float]]:
        """Return everything that decides the result, JSON-able: goes into store keys and table headers."""

    def __call__(self, cube: Tensor, generator: torch.Generator) -> Tensor:
        """Degrade one clean cube.

        Args:
            cube: `C x H x W`, floating point, finite, nominally in [0, 1].
            generator: CPU generator that decides every random parameter.

        Returns:
            The observation `C x h x w` with `h = H / scale`; same dtype, not clipped, the input is left as it is.

        Raises:
            ValueError: the cube is not three-dimensional, not floating point or not finite, or its shape does not fit.
        """
        check_cube(cube)
        return self.draw(tuple(cube.shape), generator).apply(cube)

    def chosen(self, generator: torch.Generator) -> tuple[int | None, Degradation]:
        """Return which of several tasks a cube is degraded by, and its number; the task itself, of no number, here.

        Args:
            generator: CPU generator that decides.
        """
        return None, self

    @property
    def measured_side(self) -> int:
        """Rows and columns that an observation needs, that `measure` can learn from it; 1 where it learns nothing."""
        return 1

    def measure(  # noqa: B027 - a hook that most tasks leave empty
        self, cubes: Sequence[Tensor], names: Sequence[str], wavelengths: Sequence[float]
    ) -> None:
        """Learn from measured observations, before anything is degraded; most tasks are given and learn nothing.

        Args:
            cubes: observations `C x H x W`, or parts of them, as the network sees them.
            names: what they are called.
            wavelengths: the C band centres in nm.
        """

    def multispectral(self, cube: Tensor, wavelengths: Sequence[float], generator: torch.Generator) -> Tensor | None:
        """Return what a second sensor sees of the clean cube, `c x H x W`; None for tasks with one sensor.

        Args:
            cube: `C x H x W` in [0, 1].
            wavelengths: the C band centres in nm.
            generator: CPU generator that decides every random parameter.
        """
        return None

    def __repr__(self) -> str:
        """Return the class name and settings, as a reader of a log wants them."""
        values = ", ".join(f"{key}={value!r}" for key, value in self.settings().items() if key != "class")
        return f"{type(self).__name__}({values})"


def check_cube(cube: Tensor) -> None:
    """Raise one sentence when `cube` is not a finite floating-point `C x H x W` tensor."""
    if cube.ndim != 3:
        raise InputError(
            f"A degradation takes one C x H x W cube but got a tensor of shape {tuple(cube.shape)}; "
            "degrade the cubes of a batch one by one."
        )
    if not cube.is_floating_point():
        raise InputError(
            f"A degradation takes a floating-point cube in [0, 1] but got {cube.dtype}; scale the cube first."
        )
    if cube.numel() == 0:
        raise InputError(f"A degradation got an empty cube of shape {tuple(cube.shape)}; give at least one pixel.")
    # The extremes carry every NaN and infinity, in a tenth of the time of an element-wise test.
    low, high = torch.aminmax(cube)
    if not (math.isfinite(low.item()) and math.isfinite(high.item())):
        raise InputError("A degradation got a cube with NaN or infinite values; repair or leave out that scene.")


def check_shape(shape: Sequence[int]) -> tuple[int, int, int]:
    """Return `shape` as `(C, H, W)` integers, or raise one sentence when it is not three positive sizes."""
    if len(shape) != 3 or min(shape) < 1:
        raise InputError(f"A degradation is drawn for a shape (C, H, W) of positive sizes but got {tuple(shape)}.")
    bands, height, width = (int(size) for size in shape)
    return bands, height, width


def check_choice(value: str, choices: Sequence[str], argument: str) -> None:
    """Raise one sentence when `value` is not one of the named `choices` of `argument`."""
    if value not in choices:
        raise InputError(f"{argument} is {value!r} but must be one of {', '.join(choices)}.")


def check_ratio(value: float, argument: str) -> None:
    """Raise one sentence when `value` is not in [0, 1)."""
    if not 0.0 <= value < 1.0:
        raise InputError(f"{argument} is {value} but must be a share in [0, 1).")
