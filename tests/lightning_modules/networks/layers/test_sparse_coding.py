"""Shrinkage, low-rank atoms and the noise estimator against their definitions."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from lightning_modules.networks.layers.sparse_coding import LowRankDictionary, NoiseEstimator, SparseCoding, shrink


@pytest.mark.parametrize("threshold", [0.5, 0.0, -0.5])
def test_shrink_is_the_difference_of_two_rectifiers_for_either_sign(threshold: float) -> None:
    values = torch.tensor([-2.0, -0.5, -0.3, 0.0, 0.2, 0.5, 3.0])
    bound = torch.tensor(threshold)
    expected = functional.relu(values - bound) - functional.relu(-values - bound)
    assert torch.allclose(shrink(values, bound), expected, rtol=0, atol=1e-6)


def test_shrink_with_a_negative_threshold_doubles_small_values_and_lifts_large_ones() -> None:
    shrunk = shrink(torch.tensor([0.25, 3.0, -3.0]), torch.tensor(-0.5))
    assert shrunk.tolist() == [0.5, 3.5, -3.5]


@pytest.mark.parametrize(("codes", "channels", "rank", "side"), [(7, 6, 2, 3), (5, 4, 1, 5), (6, 3, 1, 1)])
def test_factored_products_equal_those_with_whole_atoms(codes: int, channels: int, rank: int, side: int) -> None:
    torch.manual_seed(0)
    dictionary = LowRankDictionary(codes, channels, rank, side)
    images = torch.randn(2, channels, 9, 8)
    code = torch.randn(2, codes, 10 - side, 9 - side)
    with torch.no_grad():
        for centred in (False, True) if side > 1 else (False,):
            whole, parts = (dictionary.analysis(factored, centred)(images) for factored in (False, True))
            assert torch.allclose(whole, parts, atol=1e-5)
        whole, parts = (dictionary.synthesis(factored)(code) for factored in (False, True))
        assert torch.allclose(whole, parts, atol=1e-5)
        assert parts.shape == images.shape


def test_centred_atoms_ignore_constant_patches() -> None:
    torch.manual_seed(1)
    dictionary = LowRankDictionary(codes=5, channels=3, rank=2, side=3)
    flat = torch.rand(1, 3, 1, 1).expand(1, 3, 4, 4)
    with torch.no_grad():
        assert dictionary.analysis(False, centred=True)(flat).abs().max() < 1e-6
        assert dictionary.analysis(False)(flat).abs().max() > 1e-3


def test_an_empty_code_decodes_to_the_means_alone() -> None:
    torch.manual_seed(2)
    layer = SparseCoding(channels=3, codes=5, side=3, rank=1, iterations=2)
    ramp = torch.linspace(0, 1, 9).expand(1, 3, 9, 9)
    with torch.no_grad():
        code, means = layer.encode(ramp)
        decoded = layer.decode(torch.zeros_like(code), means)
    assert torch.allclose(decoded[..., 2:-2], ramp[..., 2:-2], atol=1e-6)


def test_image_centred_code_ignores_a_constant_and_decoding_restores_it() -> None:
    torch.manual_seed(3)
    layer = SparseCoding(channels=3, codes=5, side=1, rank=1, iterations=3, image_centred=True)
    images = torch.rand(1, 3, 6, 6)
    with torch.no_grad():
        code, means = layer.encode(images)
        shifted, lifted = layer.encode(images + 0.5)
        assert torch.allclose(code, shifted, atol=1e-5)
        assert torch.allclose(layer.decode(shifted, lifted), layer.decode(code, means) + 0.5, atol=1e-5)


@pytest.mark.parametrize("size", [(56, 56), (90, 64), (40, 70), (1, 1)])
def test_noise_estimator_sees_the_central_pixels_only_and_takes_any_size(size: tuple[int, int]) -> None:
    torch.manual_seed(4)
    estimator = NoiseEstimator()
    images = torch.randn(2, 3, *size)
    framed = images.clone()
    top, left = max(size[0] - 56, 0) // 2, max(size[1] - 56, 0) // 2
    outside = torch.ones(size, dtype=torch.bool)
    outside[top : top + 56, left : left + 56] = False
    framed[..., outside] = 9.0
    with torch.no_grad():
        weights = estimator(images)
        assert torch.equal(weights, estimator(framed))
        assert not torch.allclose(weights, estimator(images * 3), atol=1e-6)
    assert weights.shape == (2, 3, 1, 1)
    assert 0 < weights.min() < weights.max() < 1
