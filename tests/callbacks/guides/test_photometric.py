"""PhotometricGuides: strengths, ranges, alignment, independence of size and of the global random state."""

import pytest
import torch
from skimage import data
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from callbacks.guides import PhotometricGuides
from hyperalign.seeding import generator_for

STILL = {"illumination": 0.0, "tint": 0.0, "displacement": 0.0, "gamma": 0.0}


def photograph() -> Tensor:
    """The astronaut's head, linear in light, 3 x 128 x 128."""
    picture = torch.from_numpy(data.astronaut()[:256:2, 96:352:2].copy()).permute(2, 0, 1)
    return (picture.float() / 255.0) ** 2.2


def similarities(guides: Tensor, proxy: Tensor) -> list[float]:
    """SSIM of every guide against the proxy."""
    scores = structural_similarity_index_measure(guides, proxy.expand_as(guides), data_range=1.0, reduction="none")
    assert isinstance(scores, Tensor)
    return scores.tolist()


def test_zero_strengths_return_the_proxy() -> None:
    proxy = photograph()
    guides = PhotometricGuides(**STILL)(proxy, 2, generator_for(0))
    torch.testing.assert_close(guides, proxy.expand(2, -1, -1, -1), atol=1e-6, rtol=0)


@pytest.mark.parametrize("part", ["illumination", "tint", "displacement", "gamma"])
def test_each_strength_changes_the_guide_on_its_own(part: str) -> None:
    default = getattr(PhotometricGuides(), part)
    proxy = photograph()
    weak, strong = (
        (PhotometricGuides(**{**STILL, part: factor * default})(proxy, 4, generator_for(0)) - proxy).abs().mean()
        for factor in (0.5, 1.0)
    )
    assert float(weak) > 2e-3
    assert float(strong) > 1.3 * float(weak)


def test_guides_are_aligned_with_the_proxy_and_differ_among_themselves() -> None:
    proxy = photograph()
    guides = PhotometricGuides()(proxy, 8, generator_for(4))
    assert float(guides.min()) >= 0.0
    assert float(guides.max()) <= 1.0
    similarity = similarities(guides, proxy)
    assert min(similarity) > 0.35
    assert max(similarity) < 0.9
    differences = [float((guides[i] - guides[j]).abs().mean()) for i in range(8) for j in range(i)]
    assert min(differences) > 0.02
    assert sum(differences) / len(differences) > 0.05


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (17, 5), (63, 130)])
def test_any_size(size: tuple[int, int]) -> None:
    guides = PhotometricGuides()(torch.rand(3, *size, generator=generator_for(5)), 3, generator_for(6))
    assert guides.shape == (3, 3, *size)
    assert bool(torch.isfinite(guides).all())


def test_only_the_given_generator_is_used() -> None:
    proxy = photograph()
    before = torch.get_rng_state()
    first = PhotometricGuides()(proxy, 2, generator_for(7))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, PhotometricGuides()(proxy, 2, generator_for(7)))
    assert not torch.equal(first, PhotometricGuides()(proxy, 2, generator_for(8)))


def test_settings_name_every_argument() -> None:
    assert PhotometricGuides(gamma=0.1).settings() == {
        "class": "PhotometricGuides",
        "illumination": 0.8,
        "illumination_scale": 0.4,
        "tint": 0.25,
        "displacement": 6.0,
        "displacement_scale": 24.0,
        "gamma": 0.1,
    }


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"tint": -0.1}, "argument tint is -0.1: choose a value between 0 and 4"),
        ({"displacement": 9.0}, "argument displacement is 9: choose a value between 0 and 8"),
        ({"displacement_scale": 0.5}, "argument displacement_scale is 0.5: choose a value at least 1"),
        ({"illumination": float("nan")}, "argument illumination is nan"),
    ],
)
def test_strengths_out_of_range(arguments: dict[str, float], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        PhotometricGuides(**arguments)
