"""Which pixels are found to be damaged, against what was drawn."""

from __future__ import annotations

import torch

from datamodules import ComplexMixture
from datamodules.degradations.noise import Deadlines, Impulses, Stripes
from datamodules.estimation import damage_of
from tests.datamodules.estimation.scenes import clean_scene


def test_undamaged_pixels_are_those_that_nothing_hit() -> None:
    clean = clean_scene(12, 128)
    mixture = ComplexMixture(sigmas=[10.0]).draw(tuple(clean.shape), torch.Generator().manual_seed(4))
    hit = torch.zeros(clean.shape, dtype=torch.bool)
    for part in mixture.parts:
        if isinstance(part, Impulses):
            hit[part.bands] |= part.salt | part.pepper
        elif isinstance(part, Deadlines):
            hit[part.bands] |= part.dead[:, None, :]
        elif isinstance(part, Stripes):
            hit[part.bands] |= (part.offsets.abs() > 0.02)[:, None, :]
    damage = damage_of(mixture.apply(clean).numpy())
    sound = torch.from_numpy(damage.undamaged.copy())
    assert damage.along_columns
    assert float((sound & hit).sum() / sound.sum()) < 0.005
    assert float((~sound & ~hit).sum() / sound.numel()) < 0.02


def test_lines_along_rows_are_found_as_well() -> None:
    clean = clean_scene(12, 96)
    noisy = ComplexMixture().draw(tuple(clean.shape), torch.Generator().manual_seed(4)).apply(clean)
    damage = damage_of(noisy.transpose(1, 2).contiguous().numpy())
    assert not damage.along_columns
    assert damage.dead_rows.any()
    assert not damage.dead.any()
