"""Mutual information of the pairs (Eq. 2), its pointwise form, and the cost (Eq. 3)."""

from __future__ import annotations

import math
from typing import cast

import pytest
import torch
from torch import Tensor

from lightning_modules.networks.fusion.co2if.mutual_information import (
    MutualInformationForm,
    cosine_similarity,
    discrimination,
    mutual_information,
    transport_cost,
)
from tests.lightning_modules.networks.fusion.co2if.samples import cosine_cost, random_tokens

FORMS: tuple[MutualInformationForm, ...] = ("pointwise", "global")


def similarity() -> Tensor:
    return cosine_similarity(random_tokens(2, 12, 4, 0, torch.float64), random_tokens(2, 5, 4, 1, torch.float64))


def test_information_is_the_sum_of_entropies_of_equation_2() -> None:
    joint = torch.softmax(similarity().flatten(1) / 0.07, dim=1).view(2, 12, 5)

    def entropy(probability: Tensor) -> Tensor:
        return -(probability * probability.log()).flatten(1).sum(dim=1)

    expected = entropy(joint.sum(dim=2)) + entropy(joint.sum(dim=1)) - entropy(joint)
    assert torch.allclose(mutual_information(similarity()), expected, rtol=1e-12)
    scalar = discrimination(similarity(), "global")
    assert scalar.shape == (2, 1, 1)
    assert torch.allclose(scalar.flatten(), 1 - expected / math.log(5), rtol=1e-12)


def test_pointwise_form_against_its_definition() -> None:
    joint = torch.softmax(similarity().flatten(1) / 0.07, dim=1).view(2, 12, 5)
    found = discrimination(similarity())
    for image, pixel, word in ((0, 0, 0), (0, 7, 3), (1, 11, 4), (1, 2, 1)):
        pair = joint[image, pixel, word]
        alone = joint[image, pixel].sum() * joint[image, :, word].sum()
        expected = 1 - min(1.0, max(0.0, math.log(pair / alone) / -math.log(pair)))
        assert math.isclose(found[image, pixel, word].item(), expected, rel_tol=1e-10)
    assert 0 < float((found < 1).double().mean()) < 1


@pytest.mark.parametrize("form", FORMS)
def test_one_where_features_are_independent(form: MutualInformationForm) -> None:
    text = random_tokens(1, 5, 6, 0, torch.float64)
    same = random_tokens(1, 1, 6, 1, torch.float64).expand(1, 9, 6)
    orthogonal = torch.cat([torch.zeros(1, 9, 6), torch.ones(1, 9, 2)], dim=2).double()
    for image, words in ((same, text), (orthogonal, torch.cat([text, torch.zeros(1, 5, 2)], dim=2))):
        assert torch.allclose(
            discrimination(cosine_similarity(image, words), form), torch.ones(1, 1, 1, dtype=torch.float64), atol=1e-9
        )


def test_matched_pairs_are_cheaper_and_others_keep_their_cost() -> None:
    words = torch.eye(4)[None]
    pixels = words.repeat_interleave(3, dim=1)
    matrix = discrimination(cosine_similarity(pixels, words))
    matched = torch.eye(4, dtype=torch.bool).repeat_interleave(3, dim=0)[None]
    # p = 1/12 on the diagonal, p(i) p(j) = 1/48: log 4 / log 12, a little less because of the others.
    assert torch.allclose(matrix[matched], torch.tensor(1 - math.log(4) / math.log(12)), atol=1e-4)
    assert torch.equal(matrix[~matched], torch.ones(36))
    assert float(discrimination(cosine_similarity(pixels, words), "global")) < 1e-3


@pytest.mark.parametrize("form", FORMS)
def test_padded_tokens_are_as_if_absent(form: MutualInformationForm) -> None:
    mask = torch.tensor([[True, False, True, True, False]] * 2)
    whole = discrimination(similarity(), form, text_mask=mask)
    short = discrimination(similarity()[:, :, mask[0]], form)
    assert torch.allclose(whole if form == "global" else whole[:, :, mask[0]], short, rtol=1e-12)


def test_cost() -> None:
    image, text = random_tokens(2, 12, 4, 0), random_tokens(2, 5, 4, 1)
    plain = cosine_cost(image, text)
    assert torch.allclose(transport_cost(image, text, form=None), plain, atol=1e-6)
    for form in FORMS:
        expected = plain * discrimination(1 - plain, form)
        assert torch.allclose(transport_cost(image, text, form), expected, atol=1e-5)
        assert float(transport_cost(image, text, form).min()) >= 0
    assert torch.isfinite(transport_cost(torch.zeros(1, 3, 4), text[:1])).all()


@pytest.mark.parametrize(("pixels", "words"), [(1, 1), (1, 5), (5, 1)])
def test_a_single_token_carries_no_information(pixels: int, words: int) -> None:
    image, text = random_tokens(1, pixels, 4, 0).requires_grad_(), random_tokens(1, words, 4, 1)
    for form in FORMS:
        weights = discrimination(cosine_similarity(image, text), form)
        assert torch.allclose(weights, torch.ones(1), atol=1e-5)
        (gradient,) = torch.autograd.grad(weights.sum(), image)
        assert torch.isfinite(gradient).all()


def test_sentence() -> None:
    with pytest.raises(ValueError, match="form 'local' is unknown; choose 'pointwise' or 'global'"):
        discrimination(similarity(), cast("MutualInformationForm", "local"))
