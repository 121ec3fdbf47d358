"""Which pixels SRLF learns again: how many by the batch or by the image, and by what score."""

from __future__ import annotations

import torch

from lightning_modules.networks.fusion.srlf.selection import cosine_map, similarity_map, worst
from tests.pairs import smooth
from tests.plain.srlf import angle, similarity


def test_a_batch_shares_one_number_as_published_and_images_may_have_their_own() -> None:
    scores = torch.rand(2, 10, 10, generator=torch.Generator().manual_seed(0))
    (shared,) = worst(scores, torch.tensor([0.1, 0.9]), per_image=False)
    own = worst(scores, torch.tensor([0.1, 0.9]), per_image=True)
    assert shared.shape == (2, 15)
    assert [numbers.shape for numbers in own] == [(1, 27), (1, 3)]
    for numbers, one in zip((*shared, *(row[0] for row in own)), (*scores, *scores), strict=True):
        expected = one.flatten().argsort()[: len(numbers)]
        assert sorted(numbers.tolist()) == sorted(expected.tolist())


def test_nothing_is_chosen_where_all_is_alike() -> None:
    (numbers,) = worst(torch.ones(2, 4, 4), torch.ones(2), per_image=False)
    assert numbers.shape == (2, 0)


def test_scores_equal_their_plain_forms() -> None:
    one, other = smooth((2, 3, 9, 7), 0), smooth((2, 3, 9, 7), 1)
    torch.testing.assert_close(similarity_map(one, other), similarity(one, other), rtol=1e-4, atol=1e-5)
    cosines = torch.cos(torch.deg2rad(angle(one, other))).reshape(2, 9, 7)
    torch.testing.assert_close(cosine_map(one, other), cosines, rtol=1e-5, atol=1e-6)
