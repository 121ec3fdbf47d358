"""Stochastic depth (Huang et al., ECCV 2016, arXiv 1603.09382): whole branches are left out at random in training."""

from __future__ import annotations

from torch import Tensor, nn

from hyperalign.errors import InputError

__all__ = ["DropPath"]


class DropPath(nn.Module):
    """Set the branch of each image of a batch to zero with a given probability, and scale the others up to make up.

    Args:
        probability: chance that an image's branch is left out in training, in [0, 1); evaluation keeps all.

    Raises:
        ValueError: when the probability lies outside [0, 1).
    """

    def __init__(self, probability: float = 0.0) -> None:
        super().__init__()
        if not 0 <= probability < 1:
            raise InputError(f"DropPath: probability {probability} is not in [0, 1); choose one such as 0.1.")
        self.probability = probability

    def forward(self, branch: Tensor) -> Tensor:
        """Return the branch `B x ...`, in training with some of its images zeroed."""
        if not self.training or self.probability == 0:
            return branch
        kept = 1 - self.probability
        mask = branch.new_empty(len(branch), *[1] * (branch.dim() - 1)).bernoulli_(kept)
        return branch * (mask / kept)
