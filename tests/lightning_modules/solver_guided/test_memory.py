"""Solver results are found again by the image, and give way when there are too many."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from lightning_modules.solver_guided.memory import SolvedPatches


class Counting:
    """Doubles images and counts them."""

    def __init__(self) -> None:
        self.images = 0

    def __call__(self, images: Tensor) -> Tensor:
        self.images += len(images)
        return 2 * images


def test_an_image_is_solved_once_whatever_its_batch() -> None:
    memory, solve = SolvedPatches(1), Counting()
    images = torch.rand(3, 2, 4, 4)
    assert torch.equal(memory.solved(images, solve), 2 * images)
    turned = images[[2, 0, 1, 2]]
    assert torch.equal(memory.solved(turned, solve), 2 * turned)
    assert solve.images == 3
    memory.solved(images.view(3, 4, 2, 4), solve)
    assert solve.images == 6


def test_the_oldest_give_way_and_copies_start_empty() -> None:
    memory, solve = SolvedPatches(1), Counting()
    images = torch.rand(6, 1, 256, 256)
    for image in images:
        memory.solved(image[None], solve)
    assert len(memory) == 4
    memory.solved(images[-1:], solve)
    assert solve.images == 6
    memory.solved(images[:1], solve)
    assert solve.images == 7
    kind, arguments = memory.__reduce__()
    assert len(copy.deepcopy(memory)) == len(kind(*arguments)) == 0
    assert len(SolvedPatches(0)) == 0
    assert torch.equal(SolvedPatches(0).solved(images[:1], solve), 2 * images[:1])
