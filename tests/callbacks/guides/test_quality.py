"""Quality of guides: SSIM to the proxy and among each other, checked against scikit-image on the shown pictures."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from callbacks.guides import PhotometricGuides
from callbacks.guides.quality import ALIGNED, guide_quality
from hyperalign.seeding import generator_for


def textured(seed: int, side: int = 48) -> torch.Tensor:
    coarse = torch.rand(1, 3, 12, 12, generator=generator_for(seed, "textured"))
    return torch.nn.functional.interpolate(coarse, size=(side, side), mode="bicubic").clamp(0.0, 1.0)[0]


def by_skimage(one: torch.Tensor, other: torch.Tensor) -> float:
    shown = [picture.double().numpy() ** (1.0 / 2.2) for picture in (one, other)]
    # scikit-image also averages over the windows that reach over the border; five pixels are left out of its map
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    _, similarity = structural_similarity(*shown, channel_axis=0, full=True, **settings)
    return float(np.mean(similarity[:, 5:-5, 5:-5]))


def test_alignment_and_diversity_are_mean_similarities() -> None:
    proxies = [textured(0), textured(1)]
    groups = [
        (proxy, list(PhotometricGuides()(proxy, 3, generator_for(5, index)))) for index, proxy in enumerate(proxies)
    ]
    quality = guide_quality(groups)
    to_proxy = [by_skimage(guide, proxy) for proxy, guides in groups for guide in guides]
    apart = [1.0 - by_skimage(one, other) for _, guides in groups for one, other in combinations(guides, 2)]
    assert quality.alignment == pytest.approx(np.mean(to_proxy), abs=2e-4)
    assert quality.lowest_alignment == pytest.approx(min(to_proxy), abs=2e-4)
    assert quality.diversity == pytest.approx(np.mean(apart), abs=2e-4)


def test_the_proxy_itself_is_aligned_too_well_and_an_unrelated_picture_not_at_all() -> None:
    proxy = textured(0)
    same = guide_quality([(proxy, [proxy, proxy])])
    assert (same.alignment, same.diversity) == (1.0, 0.0)
    assert not same.aligned
    unrelated = guide_quality([(proxy, [torch.rand(3, 48, 48, generator=generator_for(1))])])
    assert unrelated.alignment < ALIGNED[0]
    assert not unrelated.aligned
    assert np.isnan(unrelated.diversity)


def test_the_level_of_light_does_not_hide_structure() -> None:
    proxy = textured(0)
    dark = guide_quality([(0.02 * proxy, [0.02 * textured(1)])])
    assert dark.alignment < 0.6


def test_nothing_to_measure_is_said() -> None:
    with pytest.raises(ValueError, match=r"^There is no guide to measure: synthesise at least one\.$"):
        guide_quality([(textured(0), [])])
