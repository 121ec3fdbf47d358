"""More damage of the kinds that are there, and of no other."""

from __future__ import annotations

import torch

from callbacks.reporting.without_truth.recorruption import recorrupted
from datamodules.estimation import BandNoise

BANDS = (
    BandNoise(variance=0.01),
    BandNoise(variance=0.01, impulse_share=0.2),
    BandNoise(variance=0.01, dead_share=0.1),
    BandNoise(variance=0.01, stripe_share=0.1, stripe_amplitude=0.25),
)


def test_kinds_are_those_of_each_band_and_lie_on_undamaged_pixels() -> None:
    cube = torch.rand(4, 40, 60, generator=torch.Generator().manual_seed(1)) * 0.5 + 0.25
    undamaged, striped, dead = torch.ones(4, 40, 60, dtype=torch.bool), torch.zeros(4, 40, 60, dtype=torch.bool), None
    dead = torch.zeros(4, 60, dtype=torch.bool)
    dead[2, :6], striped[3, :, 50:56] = True, True
    undamaged &= ~striped & ~dead[:, None, :]
    undamaged[1] &= torch.rand(40, 60, generator=torch.Generator().manual_seed(2)) > 0.2
    found = recorrupted(cube, BANDS, undamaged, striped, dead, torch.Generator().manual_seed(3))
    assert torch.equal(found.kinds.sum(dim=0).bool(), undamaged)
    assert int(found.kinds.sum(dim=0).max()) == 1
    assert found.kinds.flatten(2).any(dim=2).tolist() == [
        [True, True, True, True],
        [False, True, False, False],
        [False, False, True, False],
        [False, False, False, True],
    ]
    torch.testing.assert_close(found.shares.sum(dim=0), torch.ones(4))
    assert found.shares[1, 1] == 1.0 - undamaged[1].float().mean()
    torch.testing.assert_close(found.shares[[2, 3], [2, 3]], torch.tensor([0.1, 0.1]))
    changed = found.cube != cube
    assert not (changed & found.kinds[0]).any()
    assert set(found.cube[1][found.kinds[1, 1]].tolist()) == {0.0, 1.0}
    assert not found.cube[2][found.kinds[2, 2]].any()
    offsets = (found.cube - cube)[3][:, found.kinds[3, 3].any(dim=0)]
    torch.testing.assert_close(offsets, offsets[:1].expand_as(offsets))
