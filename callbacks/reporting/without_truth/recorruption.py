"""More damage for an observation, of the kinds that it has, over pixels whose values are known and held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from datamodules.estimation import BandNoise

KINDS = ("undamaged", "impulses", "dead lines", "stripes")
"""What a pixel may be, in the order of the first axis of everything here."""

_HIT = 0.05
_OF_THE_LINES = 0.5
_FEWEST_LINES = 3
_PRESENT = 0.005


@dataclass(frozen=True)
class Recorrupted:
    """An observation with further damage.

    Attributes:
        cube: `C x H x W`.
        kinds: `4 x C x H x W`, true where a pixel that was undamaged is now of this kind (see `KINDS`).
        shares: `4 x C`, how much of every band of the observation itself is of each kind.
    """

    cube: Tensor
    kinds: Tensor
    shares: Tensor


def recorrupted(
    cube: Tensor,
    bands: Sequence[BandNoise],
    undamaged: Tensor,
    striped: Tensor,
    dead: Tensor,
    generator: torch.Generator,
) -> Recorrupted:
    """Damage 5 % more pixels by impulses and half as many columns again by stripes and dead lines, where there are any.

    What is put over a pixel does not depend on the noise of the value that it hides, so that the hidden value tells how
    well a restorer does without it.

    Args:
        cube: `C x H x W`, stripes and dead lines along columns.
        bands: its noise.
        undamaged: `C x H x W`, pixels that hold the scene and Gaussian noise.
        striped: `C x H x W`, pixels on stripes.
        dead: `C x W`, dead columns.
        generator: decides what is damaged.
    """
    damaged = cube.clone()
    kinds = torch.zeros((len(KINDS), *cube.shape), dtype=torch.bool)
    shares = torch.zeros(len(KINDS), len(cube))
    for number, band in enumerate(bands):
        sound = undamaged[number].clone()
        shares[2, number] = dead[number].float().mean()
        shares[3, number] = (striped[number] & ~dead[number]).float().mean()
        lost = 1.0 - sound.float().mean() - shares[2, number] - shares[3, number]
        shares[1, number] = lost.clamp(min=0.0) if band.impulse_share > _PRESENT else 0.0
        if band.impulse_share > _PRESENT:
            hit = (torch.rand(sound.shape, generator=generator) < _HIT) & sound
            salt = torch.rand(sound.shape, generator=generator) < band.salt_share
            value = torch.where(salt, torch.tensor(band.high), torch.tensor(band.low))
            damaged[number] = torch.where(hit, value, damaged[number])
            kinds[1, number] = hit
            sound &= ~hit
        free = ~dead[number] & ~striped[number].any(dim=0)
        for kind, share in ((2, float(shares[2, number])), (3, band.stripe_share)):
            if share <= _PRESENT:
                continue
            columns = _columns(free, share, generator)
            free = free & ~columns
            if kind == 2:
                damaged[number][:, columns] = band.low
            else:
                offsets = (torch.rand(len(columns), generator=generator) * 2.0 - 1.0) * band.stripe_amplitude
                damaged[number] -= offsets * columns
            kinds[kind, number] = sound & columns
            sound &= ~columns
        kinds[0, number] = sound
        shares[0, number] = (1.0 - shares[1:, number].sum()).clamp(min=0.0)
    return Recorrupted(damaged, kinds, shares)


def _columns(free: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Choose half as many of the free columns as there are damaged ones."""
    count = max(_FEWEST_LINES, round(_OF_THE_LINES * share * len(free)))
    ranks = torch.rand(len(free), generator=generator).masked_fill(~free, 2.0).argsort()
    chosen = torch.zeros(len(free), dtype=torch.bool)
    chosen[ranks[:count]] = True
    return chosen & free
