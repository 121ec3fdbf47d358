"""Gaussian blur by image: scipy's numbers, and levels that no rank changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from lightning_modules.clip.blur import blur_levels, gaussian_blur


def test_every_image_is_blurred_as_scipy_blurs_it() -> None:
    images = torch.rand(5, 3, 24, 37, generator=torch.Generator().manual_seed(0))
    sigma = torch.tensor([0.0, 0.1, 0.7, 3.3, 11.0])
    found = gaussian_blur(images, sigma)
    for image, one, blurred in zip(images, sigma.tolist(), found, strict=True):
        expected = gaussian_filter(image.double().numpy(), (0, one, one), mode="nearest")
        assert np.abs(blurred.double().numpy() - expected).max() < 1e-5
    assert torch.equal(found[0], images[0])
    assert float(found[4].std()) < 0.2 * float(images[4].std())


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 3)])
def test_images_smaller_than_the_kernel(size: tuple[int, int]) -> None:
    image = torch.rand(1, 2, *size, generator=torch.Generator().manual_seed(1))
    expected = gaussian_filter(image.double().numpy(), (0, 0, 4.0, 4.0), mode="nearest")
    assert np.abs(gaussian_blur(image, torch.tensor([4.0])).double().numpy() - expected).max() < 1e-5


def test_mixed_precision_does_not_touch_the_blur() -> None:
    images = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    sigma = torch.tensor([1.0, 2.0])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(gaussian_blur(images, sigma), gaussian_blur(images, sigma))
        found = gaussian_blur(images, sigma)
    assert found.dtype == torch.float32
    assert torch.equal(found, gaussian_blur(images, sigma))


def levels(images: int, **changed: int) -> torch.Tensor:
    known = {"seed": 3, "epoch": 2, "batch": 5} | changed
    return blur_levels(images=images, sigma=(1.0, 4.0), clean_share=0.25, **known)


def test_levels_do_not_depend_on_the_ranks_but_on_seed_epoch_and_batch() -> None:
    whole = levels(40)
    for ranks in (2, 4):
        parts = [levels(40 // ranks, rank=rank, ranks=ranks) for rank in range(ranks)]
        for rank, part in enumerate(parts):
            assert torch.equal(part, whole[rank::ranks])
    assert torch.equal(levels(7), whole[:7])
    assert torch.equal(levels(40), whole)
    for changed in ({"seed": 4}, {"epoch": 3}, {"batch": 6}):
        assert int((levels(40, **changed) == whole).sum()) < 20


def test_levels_are_uniform_with_a_share_of_sharp_images() -> None:
    found = levels(4000)
    blurred = found[found > 0]
    assert len(blurred) / 4000 == pytest.approx(0.75, abs=0.03)
    assert 1.0 <= float(blurred.min()) < 1.02
    assert 3.98 < float(blurred.max()) <= 4.0
    assert float(blurred.mean()) == pytest.approx(2.5, abs=0.06)


def test_the_global_random_state_stays() -> None:
    before = torch.random.get_rng_state()
    levels(10)
    assert torch.equal(torch.random.get_rng_state(), before)
