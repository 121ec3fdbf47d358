"""Inverted lists: filled lists, full distances, faiss's own threads."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from callbacks.transfer.descriptors import PatchDescriptors
from callbacks.transfer.inverted_search import InvertedSearch, faiss_threads, squared_distances
from tests.callbacks.transfer.samples import brute_force, smooth_cube


def test_too_few_lists_are_filled_with_true_pixels(images: tuple[PatchDescriptors, PatchDescriptors]) -> None:
    proxy, guide = images
    search = InvertedSearch(proxy, 8)
    found = search.search(guide.chunk(0, 50), 400, 1, 400)
    assert int(found.min()) >= 0
    assert search._index.nprobe == 1


def test_there_are_about_two_lists_for_each_row_of_a_square(
    images: tuple[PatchDescriptors, PatchDescriptors],
) -> None:
    search = InvertedSearch(images[0], 8)
    assert search.lists == search._index.nlist == 128, "the power of two next to 2 sqrt(64 * 60)"
    clustering = search._index.cp
    found = (clustering.niter, clustering.min_points_per_centroid, clustering.max_points_per_centroid)
    assert found == (6, 1, 64)


def test_the_clusters_are_learned_from_pixels_of_the_whole_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """32 pixels a list, evenly spaced from the first on; every pixel of an image that has fewer."""
    faiss = pytest.importorskip("faiss")
    learned: list[Tensor] = []
    whole = faiss.IndexIVFFlat.train

    def train(index: object, vectors: object) -> None:
        learned.append(torch.from_numpy(vectors).clone())
        whole(index, vectors)

    monkeypatch.setattr(faiss.IndexIVFFlat, "train", train)
    for side, lists, step in ((128, 256, 2), (24, 64, 1)):
        proxy = PatchDescriptors(smooth_cube(3, side, side, seed=4), patch_size=1)
        search = InvertedSearch(proxy, 3)
        assert search.lists == lists
        expected = search._project(proxy.gather(torch.arange(0, side * side, step)))
        torch.testing.assert_close(learned.pop(), expected, rtol=0, atol=1e-5)


def test_the_projection_is_on_the_principal_components(images: tuple[PatchDescriptors, PatchDescriptors]) -> None:
    proxy, _ = images
    every = proxy.chunk(0, proxy.count)
    _, _, components = torch.linalg.svd((every - every.mean(0)).double(), full_matrices=False)
    aligned = (components[:4] @ InvertedSearch(proxy, 4)._axes.double()).diagonal().abs()
    torch.testing.assert_close(aligned, torch.ones_like(aligned), rtol=0, atol=1e-4)


def test_the_first_pixel_is_found_like_any_other(images: tuple[PatchDescriptors, PatchDescriptors]) -> None:
    proxy, _ = images
    search = InvertedSearch(proxy, 48)
    found = search.search(proxy.chunk(0, 6), 12, search.lists, 400)
    assert torch.equal(found, brute_force(proxy, proxy, 12)[:6])
    assert (found == 0).any(dim=1).tolist() == [True, True, True, False, False, False]


def test_full_distances_are_squared_l2_whatever_the_chunk(images: tuple[PatchDescriptors, PatchDescriptors]) -> None:
    proxy, guide = images
    queries = guide.chunk(100, 109)
    pool = torch.randint(0, proxy.count, (9, 4), generator=torch.Generator().manual_seed(0))
    expected = (queries[:, None] - proxy.gather(pool.flatten()).view(9, 4, -1)).double().square().sum(2)
    for chunk in (512, 2):
        found = squared_distances(queries, proxy, pool, chunk)
        torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-7)


def test_neighbours_are_ranked_by_the_full_distance(images: tuple[PatchDescriptors, PatchDescriptors]) -> None:
    proxy, guide = images
    search = InvertedSearch(proxy, 4)
    queries = guide.chunk(0, 60)
    found = search.search(queries, 8, search.lists, 200)
    assert bool((squared_distances(queries, proxy, found).diff(dim=1) >= 0).all())
    assert float((found[:, 0] == brute_force(proxy, guide, 1)[:60, 0]).double().mean()) > 0.9


def test_faiss_gets_its_own_number_of_threads_back_even_after_an_error() -> None:
    used = [7]
    module = SimpleNamespace(omp_get_max_threads=lambda: used[-1], omp_set_num_threads=used.append)
    with pytest.raises(KeyError), faiss_threads(module):
        raise KeyError
    assert used == [7, torch.get_num_threads(), 7]
