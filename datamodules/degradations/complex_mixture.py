"""The complex denoising task: Gaussian noise, stripes, deadlines and impulses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import torch

from datamodules.degradations.base import Corruption, Degradation, check_choice, check_shape
from datamodules.degradations.draws import (
    ColumnDraw,
    DeadlineDraw,
    ImpulseDraw,
    SigmaDraw,
    StripeDraw,
    gaussian_noise,
    random_stream,
)
from datamodules.degradations.noise import Mixture
from hyperalign.errors import InputError

StructuredDraw: TypeAlias = StripeDraw | DeadlineDraw | ImpulseDraw

CONVENTIONS = ("disjoint_thirds", "independent_thirds", "random_one", "random_structured")


class ComplexMixture(Degradation):
    """Band-wise Gaussian noise on every band, then structured noise on groups of `floor(C / 3)` random bands.

    The published codes agree on the ingredients and differ in how they combine them:

    * `disjoint_thirds` (test sets of SERT, QRNN3D, TRQ3DNet; the default): stripes, deadlines and impulses, each on
      its own third of the bands; the `C - 3 floor(C / 3)` bands left keep Gaussian noise only;
    * `independent_thirds` (SSUMamba, there with `sigmas=(0, 95)`, `sigma_convention="band_uniform"`): impulses,
      then stripes, then deadlines, each on a third drawn for itself, so that bands may get several or none;
    * `random_one` (training of SERT, QRNN3D, TRQ3DNet): one of nothing, impulses, stripes, deadlines, with equal
      chances. The published codes take the four in turn with a counter shared by all samples; here a draw replaces
      the counter, so that a sample does not depend on which samples were read before it;
    * `random_structured` (training of MP-HSIR): one of deadlines, impulses, stripes, never nothing, and one impulse
      amount for all the bands that are hit.

    Args:
        convention: one of the four rules above.
        sigmas: standard deviations of the Gaussian noise on the 0 to 255 scale, as in `NonIIDGaussian`.
        sigma_convention: how they are drawn, as in `NonIIDGaussian`.
        columns: number of columns hit by stripes and deadlines, as shares `[low, high)` of the width; both ends are
            rounded down for stripes and up for deadlines.
        stripe_amplitude: stripe offsets are uniform on [-amplitude, amplitude).
        impulse_amounts: probabilities of an impulse, one drawn for each band.

    Raises:
        ValueError: an argument is out of range; when drawing: fewer than 3 bands, or too few columns.
    """

    def __init__(
        self,
        convention: str = "disjoint_thirds",
        sigmas: Sequence[float] = (10.0, 30.0, 50.0, 70.0),
        sigma_convention: str = "band_choice",
        columns: tuple[float, float] = (0.05, 0.15),
        stripe_amplitude: float = 0.25,
        impulse_amounts: Sequence[float] = (0.1, 0.3, 0.5, 0.7),
    ) -> None:
        check_choice(convention, CONVENTIONS, "The convention of the complex mixture")
        if not 0.0 <= stripe_amplitude < np.inf:
            raise InputError(f"stripe_amplitude is {stripe_amplitude} but must be a finite number >= 0.")
        self.convention = convention
        self.sigma_draw = SigmaDraw(tuple(float(sigma) for sigma in sigmas), sigma_convention)
        self.column_draw = ColumnDraw(*(float(share) for share in columns))
        self.stripes = StripeDraw(self.column_draw, float(stripe_amplitude))
        self.deadlines = DeadlineDraw(self.column_draw)
        self.impulses = ImpulseDraw(
            tuple(float(amount) for amount in impulse_amounts), shared=convention == "random_structured"
        )

    def draw(self, shape: Sequence[int], generator: torch.Generator) -> Mixture:
        """Draw the noise of one cube of `shape` (C, H, W).

        Returns:
            A mixture whose first part is the Gaussian noise and whose other parts are the structured noises.

        Raises:
            ValueError: the cube has fewer than 3 bands or is too narrow.
        """
        size, stream = check_shape(shape), random_stream(generator)
        if size[0] < 3:
            raise InputError(
                f"Complex noise works on thirds of the bands but the cube has only {size[0]}; give at least 3 bands."
            )
        gaussian = gaussian_noise(size, self.sigma_draw.draw(size[0], stream), stream)
        return Mixture((gaussian, *self._draw_structured(size, stream)))

    def _draw_structured(self, size: tuple[int, int, int], stream: np.random.Generator) -> list[Corruption]:
        """Draw the structured noises of the convention, in the order in which they act."""
        third = size[0] // 3

        def bands() -> list[int]:
            drawn: list[int] = stream.permutation(size[0]).tolist()
            return drawn

        if self.convention == "disjoint_thirds":
            order = bands()
            groups = [order[start : start + third] for start in range(0, 3 * third, third)]
            disjoint: tuple[StructuredDraw, ...] = (self.stripes, self.deadlines, self.impulses)
            return [rule.draw(size, group, stream) for rule, group in zip(disjoint, groups, strict=True)]
        rules: tuple[StructuredDraw, ...] = (self.impulses, self.stripes, self.deadlines)
        if self.convention == "independent_thirds":
            return [rule.draw(size, bands()[:third], stream) for rule in rules]
        chosen = int(stream.integers(0, len(rules) + (self.convention == "random_one")))
        return [rule.draw(size, bands()[:third], stream) for rule in rules[chosen : chosen + 1]]

    def settings(self) -> dict[str, int | float | str | list[float]]:
        """Return the class name and every constructor argument."""
        return {
            "class": type(self).__name__,
            "convention": self.convention,
            "sigmas": list(self.sigma_draw.sigmas),
            "sigma_convention": self.sigma_draw.convention,
            "columns": [self.column_draw.low, self.column_draw.high],
            "stripe_amplitude": self.stripes.amplitude,
            "impulse_amounts": list(self.impulses.amounts),
        }
