"""What all wrappers share: mixing that starts at the first inputs, results kept in training, and what is refused."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lightning_modules import WhitenedRCTV
from lightning_modules.solver_guided import Guided, Subspace, scene_wide
from tests.lightning_modules.solver_guided.scenes import Same, compact_sert, observation


def test_the_network_is_first_given_the_starting_point_alone() -> None:
    guided = Guided(WhitenedRCTV(rank=3), Same(4))
    images = torch.rand(1, 8, 5, 6, generator=torch.Generator().manual_seed(0))
    assert torch.equal(guided.core(images), images[:, :4])
    assert not bool(guided.mix.weight[:, 4:].any())
    assert not bool(guided.mix.bias.any())  # type: ignore[union-attr]


def test_a_patch_is_solved_once_in_training_and_each_time_otherwise() -> None:
    solved: list[int] = []

    class Counting(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            solved.append(len(images))
            return images

    guided = Guided(Counting(), Same(12))
    guided.train()
    observed = observation(side=16)
    assert torch.equal(guided.solve(observed), guided.solve(observed))
    assert solved == [1]
    guided.eval()
    guided.solve(observed)
    guided.solve(observed)
    assert solved == [1, 1, 1]


def test_the_wrapper_is_found_in_a_module_and_nothing_else_is_taken_for_one() -> None:
    guided = Guided(WhitenedRCTV(rank=3), Same(4))
    holder = nn.Module()
    holder.network = guided
    assert scene_wide(guided) is guided
    assert scene_wide(holder) is guided
    assert scene_wide(nn.Identity()) is None


def test_networks_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="gives its network 6 channels, but SERT was built for 4"):
        Subspace(WhitenedRCTV(), compact_sert(4))
    enlarging = Same(4)
    enlarging.scale = 4  # type: ignore[assignment]
    with pytest.raises(ValueError, match="keeps the image size, which Same does not"):
        Subspace(WhitenedRCTV(), enlarging, rank=4)
    with pytest.raises(ValueError, match="memory=-1"):
        Guided(WhitenedRCTV(), Same(4), memory=-1)
