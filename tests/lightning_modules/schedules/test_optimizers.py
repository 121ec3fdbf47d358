"""Optimiser and schedule as Lightning takes them, the same for restorers and for encoders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.cli import ReduceLROnPlateau
from torch import nn

from lightning_modules import BlurRobustCLIP, RestorationModule
from lightning_modules.schedules.optimizers import configured_optimizers, lay_gradients_out


def plateau(optimizer: torch.optim.Optimizer) -> ReduceLROnPlateau:
    """Lightning's own, which names its metric."""
    return ReduceLROnPlateau(optimizer, "train/loss")


def test_a_schedule_that_waits_on_a_metric_works_in_every_module(tmp_path: Path) -> None:
    encoder = BlurRobustCLIP("tiny_vision", scheduler=plateau)
    encoder.configure_model()
    for module in (RestorationModule(nn.Conv2d(3, 3, 1), scheduler=plateau), encoder):
        configured: Any = module.configure_optimizers()
        assert configured["lr_scheduler"]["monitor"] == "train/loss"
        assert configured["lr_scheduler"]["interval"] == "epoch"


def test_frozen_parameters_are_left_out_and_nothing_to_learn_is_refused() -> None:
    layer = nn.Conv2d(2, 2, 1)
    layer.weight.requires_grad_(False)
    made: Any = configured_optimizers(layer.parameters(), None, None, "step", default_rate=0.25)
    assert [len(group["params"]) for group in made.param_groups] == [1]
    assert made.param_groups[0]["lr"] == 0.25
    with pytest.raises(ValueError, match=r"^The network has no parameter that learns, so there is nothing to fit: "):
        configured_optimizers(nn.Identity().parameters(), None, None, "step", default_rate=0.25)


def test_a_schedule_that_names_no_metric_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^The schedule ReduceLROnPlateau of torch does not say which metric it wait"):
        configured_optimizers(
            nn.Linear(1, 1).parameters(), None, torch.optim.lr_scheduler.ReduceLROnPlateau, "epoch", default_rate=1e-3
        )


def test_gradients_behind_images_of_channels_last_have_the_strides_of_their_weights() -> None:
    """What DistributedDataParallel warns of, with the same numbers."""
    images = torch.rand(2, 6, 6, 4, generator=torch.Generator().manual_seed(0)).permute(0, 3, 1, 2)
    gradients = []
    for laid in (False, True):
        torch.manual_seed(0)
        layer = nn.Conv2d(4, 4, 3, padding=1, groups=4)
        if laid:
            lay_gradients_out(layer.parameters())
        layer(images).square().sum().backward()
        assert layer.weight.grad is not None
        gradients.append(layer.weight.grad)
    assert gradients[0].stride() != layer.weight.stride()
    assert gradients[1].stride() == layer.weight.stride()
    assert torch.equal(*gradients)
