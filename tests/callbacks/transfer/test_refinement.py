"""Expansion and mean-L1 re-ranking against a loop (Eq. 11-13)."""

from typing import Any

import pytest
import torch
from torch import Tensor

from callbacks.transfer import refinement
from callbacks.transfer.descriptors import PatchDescriptors
from callbacks.transfer.refinement import expand, mean_absolute_distances, refine


def test_pool_is_the_clamped_neighbourhood_and_marks_repetitions() -> None:
    pool, repeated = expand(torch.tensor([[0, 1]]), 4, 5, 1)
    assert pool.shape == (1, 18)
    assert sorted(set(pool[0].tolist())) == [0, 1, 2, 5, 6, 7]
    assert sorted(pool[0][~repeated[0]].tolist()) == [0, 1, 2, 5, 6, 7]


def test_pool_ends_at_the_last_row_and_column() -> None:
    pool, repeated = expand(torch.tensor([[19], [12]]), 4, 5, 1)
    assert pool[0][~repeated[0]].tolist() == [13, 14, 18, 19]
    assert pool[1].tolist() == [6, 7, 8, 11, 12, 13, 16, 17, 18]


def test_distances_are_mean_absolute_differences(cube: Tensor) -> None:
    guide, proxy = PatchDescriptors(cube[:3].contiguous()), PatchDescriptors(cube[3:6].contiguous())
    pixels, pool = torch.tensor([0, 500, 1759]), torch.tensor([[0, 1759], [500, 3], [77, 1]])
    expected = (guide.gather(pixels)[:, None] - proxy.gather(pool.flatten()).view(3, 2, -1)).abs().mean(2)
    assert torch.allclose(mean_absolute_distances(guide, proxy, pixels, pool), expected, atol=1e-7)


def test_refinement_keeps_the_nearest_different_pixels(cube: Tensor) -> None:
    guide, proxy = PatchDescriptors(cube[:3].contiguous()), PatchDescriptors(cube[3:6].contiguous())
    generator = torch.Generator().manual_seed(0)
    seeds = torch.randint(0, proxy.count, (guide.count, 4), generator=generator)
    candidates, distances = refine(guide, proxy, seeds, 1, 6)
    for pixel in (0, 43, 900, 1759):
        pool, repeated = expand(seeds[pixel : pixel + 1], proxy.height, proxy.width, 1)
        unique = pool[0][~repeated[0]].long()
        found = (guide.gather(torch.tensor([pixel])) - proxy.gather(unique)).abs().mean(1)
        assert torch.allclose(distances[:, pixel], found.sort().values[:6], atol=1e-7)
        assert len(set(candidates[:, pixel].tolist())) == 6


@pytest.mark.parametrize(("floats", "sizes"), [(3 * 1080 + 1079, [3, 3, 1]), (1, [1] * 7), (10**6, [7])])
def test_pools_are_compared_in_parts_that_fit_the_cache(
    cube: Tensor, monkeypatch: pytest.MonkeyPatch, floats: int, sizes: list[int]
) -> None:
    image, found = PatchDescriptors(cube[:3].contiguous()), []

    def watched(*arguments: Any) -> Tensor:  # noqa: ANN401
        found.append(len(arguments[-1]))
        return mean_absolute_distances(*arguments)

    monkeypatch.setattr(refinement, "_CHUNK_FLOATS", floats)
    monkeypatch.setattr(refinement, "mean_absolute_distances", watched)
    candidates, _ = refine(image, image, torch.arange(7)[:, None].expand(7, 2), 1, 1)
    assert candidates.tolist() == [list(range(7))]
    assert found == sizes


def test_a_pool_smaller_than_k_repeats_candidates() -> None:
    image = PatchDescriptors(torch.rand(3, 2, 2, generator=torch.Generator().manual_seed(1)))
    candidates, distances = refine(image, image, torch.zeros(4, 1, dtype=torch.int64), 1, 16)
    assert candidates.shape == (16, 4)
    assert torch.isfinite(distances).all()
    assert set(candidates.flatten().tolist()) <= {0, 1, 2, 3}
