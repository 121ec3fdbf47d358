"""What all sources of guides share: requests, ranges, settings, one guide a request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from callbacks.guides import Guides, PhotometricGuides
from callbacks.guides.base import check_range, check_request, described
from hyperalign.seeding import generator_for


def test_bad_requests() -> None:
    guides = PhotometricGuides()
    with pytest.raises(ValueError, match=r"3 x H x W, not \(31, 8, 8\)"):
        guides(torch.rand(31, 8, 8), 1, generator_for(0))
    with pytest.raises(ValueError, match="NaN or infinite"):
        guides(torch.full((3, 8, 8), float("nan")), 1, generator_for(0))
    with pytest.raises(ValueError, match="0 guides were asked for"):
        guides(torch.rand(3, 8, 8), 0, generator_for(0))
    overshoot = guides(torch.full((3, 8, 8), 1.2), 1, generator_for(0))
    assert float(overshoot.max()) <= 1.0


def test_a_source_without_training_has_nothing_to_fit(tmp_path: Path) -> None:
    guides = PhotometricGuides()
    guides.fit([torch.rand(3, 8, 8)], 0, tmp_path / "guides")
    assert guides.fit_steps == 0
    assert not (tmp_path / "guides").exists()


def test_a_request_is_clamped_float32_without_history() -> None:
    proxy = torch.tensor([-0.1, 0.5, 1.2], dtype=torch.float64, requires_grad=True).view(3, 1, 1)
    checked = check_request(proxy, 1)
    assert checked.dtype == torch.float32
    assert not checked.requires_grad
    assert checked.flatten().tolist() == [0.0, 0.5, 1.0]
    with pytest.raises(ValueError, match=r"not \(3, 0, 8\): convert the cube with to_rgb"):
        check_request(torch.zeros(3, 0, 8), 1)


def test_bounds_belong_to_the_range_and_nan_does_not() -> None:
    check_range("strength", 0.25, 0.25, 1.0)
    check_range("strength", 1.0, 0.25, 1.0)
    check_range("steps", 1e9, 1)
    with pytest.raises(ValueError, match=r"argument strength is 1\.5: choose a value between 0\.25 and 1"):
        check_range("strength", 1.5, 0.25, 1.0)
    with pytest.raises(ValueError, match="argument steps is 0: choose a value at least 1"):
        check_range("steps", 0, 1)
    with pytest.raises(ValueError, match="argument strength is nan"):
        check_range("strength", float("nan"), 0.0)


class DimmedGuides(Guides):
    """The proxy under a random exposure of its own generator."""

    def __call__(self, proxy_rgb: torch.Tensor, n: int, generator: torch.Generator) -> torch.Tensor:
        return torch.rand(n, 1, 1, 1, generator=generator) * check_request(proxy_rgb, n)

    def settings(self) -> dict[str, Any]:
        return described(self, {"least": 0})


def test_the_least_a_source_must_write_gives_one_guide_a_request_whatever_its_neighbours() -> None:
    source = DimmedGuides()
    images = [torch.rand(3, *size, generator=generator_for(0)) for size in ((4, 6), (5, 3))]
    made = source.many([(image, generator_for(index)) for index, image in enumerate(images)])
    assert [guide.shape for guide in made] == [(3, 4, 6), (3, 5, 3)]
    swapped = source.many([(images[1], generator_for(1)), (images[0], generator_for(0))])
    assert torch.equal(made[0], swapped[1])
    assert torch.equal(made[1], swapped[0])
    assert torch.equal(made[0], source(images[0], 1, generator_for(0))[0])
    assert source.settings() == {"class": "DimmedGuides", "least": 0}
    assert (source.at_once, source.fit_steps, source.fit_seconds) == (1, 0, 0.0)
