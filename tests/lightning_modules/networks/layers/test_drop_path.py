"""Stochastic depth: whole images, expected value, evaluation, and the sentence for an impossible chance."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.networks.layers.drop_path import DropPath


def test_drop_path_leaves_out_whole_branches_in_training_only() -> None:
    torch.manual_seed(0)
    branch, dropping = torch.ones(4000, 2, 3), DropPath(0.25)
    dropped = dropping(branch)
    kept = dropped[:, 0, 0] > 0
    assert torch.equal(dropped, kept[:, None, None] * branch / 0.75)
    assert kept.float().mean().item() == pytest.approx(0.75, abs=0.03)
    assert torch.equal(dropping.eval()(branch), branch)
    with pytest.raises(ValueError, match=r"DropPath: probability 1.0 is not in \[0, 1\)"):
        DropPath(1.0)


def test_no_chance_leaves_the_branch_alone_whatever_its_axes() -> None:
    for shape in ((3,), (2, 4), (2, 3, 4, 5)):
        branch = torch.rand(shape)
        assert DropPath()(branch) is branch
        assert DropPath(0.5)(branch).shape == shape
