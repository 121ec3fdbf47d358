"""Compiled choice of seeds and candidates against the torch form."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from callbacks.transfer.compiled.refinement import compiled_nearest_of, compiled_refine
from callbacks.transfer.descriptors import PatchDescriptors
from callbacks.transfer.inverted_search import nearest_of, squared_distances
from callbacks.transfer.refinement import refine
from hyperalign.compilation import compiler
from tests.callbacks.transfer.samples import smooth_cube

pytestmark = pytest.mark.skipif(compiler() is None, reason="there is no C++ compiler on this machine")
SIZES = [(40, 44, 5), (17, 130, 3), (3, 5, 1)]


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def described(height: int, width: int, patch: int) -> tuple[PatchDescriptors, PatchDescriptors]:
    """Proxy and guide."""
    cube = smooth_cube(6, height, width, seed=2)
    proxy, guide = (PatchDescriptors(part.contiguous(), patch_size=patch) for part in (cube[:3], cube[3:]))
    return proxy, guide


@pytest.mark.parametrize("radius", [0, 1, 2])
@pytest.mark.parametrize(("height", "width", "patch"), SIZES)
def test_candidates_and_distances_equal_those_of_torch(height: int, width: int, patch: int, radius: int) -> None:
    proxy, guide = described(height, width, patch)
    seeds = torch.randint(0, proxy.count, (guide.count, 9), generator=torch.Generator().manual_seed(0))
    expected, far = refine(guide, proxy, seeds, radius, 4)
    candidates, distances = compiled_refine(guide, proxy, seeds, radius, 4)
    torch.testing.assert_close(distances, far, rtol=1e-5, atol=1e-7)
    assert float((candidates == expected).double().mean()) > 0.999
    assert all(len(set(row)) == 4 for row in candidates.t().tolist()) or radius == 0


def test_a_pool_smaller_than_k_repeats_candidates() -> None:
    image = PatchDescriptors(torch.rand(3, 2, 2, generator=torch.Generator().manual_seed(1)))
    candidates, distances = compiled_refine(image, image, torch.zeros(4, 1, dtype=torch.int64), 1, 6)
    assert candidates[:, 3].tolist()[0] == 3
    assert sorted(candidates[:4, 3].tolist()) == [0, 1, 2, 3]
    assert torch.equal(candidates[4:], candidates[:2])
    assert torch.equal(distances[4:], distances[:2])


def test_equal_distances_come_in_the_order_of_the_pixels() -> None:
    image = PatchDescriptors(torch.full((3, 6, 7), 0.5))
    seeds = torch.tensor([[30, 9]]).expand(42, 2)
    candidates, distances = compiled_refine(image, image, seeds, 1, 5)
    assert candidates.t().tolist() == [[1, 2, 3, 8, 9]] * 42
    assert not distances.any()


@pytest.mark.parametrize(("height", "width", "patch"), SIZES)
def test_the_nearest_of_a_pool_are_those_of_torch(height: int, width: int, patch: int) -> None:
    proxy, guide = described(height, width, patch)
    generator = torch.Generator().manual_seed(0)
    pool = torch.stack([torch.randperm(proxy.count, generator=generator)[:12] for _ in range(guide.count)])
    queries = guide.chunk(0, guide.count)
    expected, found = (one(queries, proxy, pool, 8) for one in (nearest_of, compiled_nearest_of))
    assert float((found == expected).double().mean()) > 0.999
    far = [squared_distances(queries, proxy, one) for one in (found, expected)]
    torch.testing.assert_close(*far, rtol=1e-5, atol=1e-7)


def test_gaps_of_a_pool_are_filled_with_its_nearest() -> None:
    proxy, guide = described(40, 44, 5)
    pool = torch.tensor([[7, -1, 900, -1], [11, 12, 13, -1]])
    found = compiled_nearest_of(guide.chunk(0, 2), proxy, pool, 3)
    assert torch.equal(found, nearest_of(guide.chunk(0, 2), proxy, pool, 3))
    assert sorted(set(found[0].tolist())) == [7, 900]
    assert found[0, 2] == found[0, 0]


def test_any_number_of_threads_finds_the_same(threads: None) -> None:
    proxy, guide = described(80, 90, 5)
    seeds = torch.randint(0, proxy.count, (guide.count, 6), generator=torch.Generator().manual_seed(0))
    found = []
    for number in (1, 3):
        torch.set_num_threads(number)
        ranked = compiled_nearest_of(guide.chunk(0, guide.count), proxy, seeds, 3)
        found.append((*compiled_refine(guide, proxy, seeds, 1, 8), ranked))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
