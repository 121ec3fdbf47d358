"""Clean training patches under other lights, so that a network does not learn the few spectra of its scenes by heart.

Ours, not of a paper: a clean patch x becomes `clamp(g x s, 0, 1)` before it is degraded, s being a smooth positive
spectrum and g a gain about the one that keeps the patch's mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from hyperalign.errors import InputError

__all__ = ["Relighting"]

ORIGIN, HALF_PERIOD = 400.0, 300.0
"""In nm: the first cosine goes through half a period from 400 to 700 nm, for every sensor."""

SIZES = (1.0, 1.0, 2.0, 3.0)
"""What the deviation of the k-th cosine's coefficient is divided by."""


class Relighting:
    """Multiplies clean patches with smooth random spectra and gains.

    `s(t) = exp(sum_{k=1..4} a_k cos(pi k t))` with `t = (wavelength - 400 nm) / 300 nm` and
    `a_k ~ N(0, 1) strength / (1, 1, 2, 3)_k`; the gain is `mean(x) / mean(x s) exp(gain n)`, `n ~ N(0, 1)`. It is a
    function of wavelengths, not of band numbers, so that lights are equally smooth for every sensor.

    Args:
        probability: share of the patches that are relit, from 0 to 1.
        strength: deviation of the logarithm's first coefficients.
        gain: deviation of the gain's logarithm.

    Raises:
        InputError: for a probability outside of [0, 1], or a strength or gain that is negative or not finite.
    """

    def __init__(self, probability: float = 0.75, strength: float = 0.5, gain: float = 0.3) -> None:
        if not 0 <= probability <= 1:
            raise InputError(f"Relighting got probability={probability}: give a share from 0 to 1.")
        for name, value in (("strength", strength), ("gain", gain)):
            if not (math.isfinite(value) and value >= 0):
                raise InputError(f"Relighting got {name}={value}: give a finite number of at least 0.")
        self.probability = probability
        self.strength = strength
        self.gain = gain

    def __call__(self, clean: Tensor, wavelengths: Sequence[float], generator: torch.Generator) -> Tensor:
        """Relight a patch, or return it as it is.

        Args:
            clean: `C x H x W` in [0, 1].
            wavelengths: centres of its bands in nm.
            generator: decides every random number.

        Returns:
            `C x H x W` in [0, 1].
        """
        if float(torch.rand((), generator=generator, dtype=torch.float64)) >= self.probability:
            return clean
        lit = clean * self.spectrum(wavelengths, generator).to(clean)[:, None, None]
        deviation = float(torch.randn((), generator=generator, dtype=torch.float64))
        kept = float(clean.mean()) / max(float(lit.mean()), 1e-6)
        return lit.mul_(kept * math.exp(self.gain * deviation)).clamp_(0.0, 1.0)

    def spectrum(self, wavelengths: Sequence[float], generator: torch.Generator) -> Tensor:
        """Return a smooth positive spectrum, one float64 number a band.

        Args:
            wavelengths: centres of the bands in nm, in any order.
            generator: decides the coefficients.
        """
        place = (torch.tensor(wavelengths, dtype=torch.float64) - ORIGIN) / HALF_PERIOD
        order = torch.arange(1, len(SIZES) + 1, dtype=torch.float64)
        drawn = torch.randn(len(SIZES), generator=generator, dtype=torch.float64)
        coefficients = drawn * self.strength / torch.tensor(SIZES, dtype=torch.float64)
        waves: Tensor = torch.cos(torch.pi * order[:, None] * place)
        return (coefficients @ waves).exp()
