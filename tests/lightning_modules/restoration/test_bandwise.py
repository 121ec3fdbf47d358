"""Band-by-band training against the authors' loop written out, and in a real fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lightning_modules import SFCSR, BandwiseRestorationModule, UpsampledInput
from tests.plain.sfcsr import COMPACT, restore_band

BANDS = 4


def small() -> SFCSR:
    """A compact network for x2 with fixed weights."""
    torch.manual_seed(0)
    return SFCSR(**COMPACT, scale=2)


def scenes(spoilt: bool = False) -> list[dict[str, Any]]:
    """Four cubes, each with its target of twice the size."""
    generator = torch.Generator().manual_seed(1)
    pairs: list[dict[str, Any]] = []
    for index in range(4):
        target = torch.rand(BANDS, 8, 8, generator=generator)
        pairs.append({"observation": target[:, ::2, ::2].clone(), "target": target, "name": f"scene{index}"})
    if spoilt:
        pairs[0]["target"][2] = float("nan")
    return pairs


def sgd(parameters: Any) -> torch.optim.Optimizer:  # noqa: ANN401 - parameters as Lightning passes them
    return torch.optim.SGD(parameters, lr=0.05)


def halving(optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
    return torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)


def fit(module: BandwiseRestorationModule, folder: Path, epochs: int, spoilt: bool = False) -> Trainer:
    """Fit on batches of two cubes in order."""
    trainer = Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=epochs,
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, DataLoader(scenes(spoilt), batch_size=2))  # type: ignore[arg-type]
    return trainer


def authors_loop(network: SFCSR, rates: list[list[float]]) -> list[float]:
    """Plain gradient descent with one step per band; learning rates by epoch and batch. The mean loss of each batch."""
    means = []
    for epoch in rates:
        for batch, rate in enumerate(epoch):
            pairs = scenes()[2 * batch : 2 * batch + 2]
            x, target = (torch.stack([pair[key] for pair in pairs]) for key in ("observation", "target"))
            context: Tensor | None = None
            losses = []
            for band in range(BANDS):
                first = min(max(band - 1, 0), BANDS - 3)
                image, context = restore_band(network, x[:, first : first + 3], x[:, band], context)
                context = context.detach()
                loss = nn.functional.l1_loss(image, target[:, band])
                network.zero_grad()
                loss.backward()
                with torch.no_grad():
                    for parameter in network.parameters():
                        if parameter.grad is not None:
                            parameter.sub_(rate * parameter.grad)
                losses.append(float(loss.detach()))
            means.append(sum(losses) / BANDS)
    return means


@pytest.mark.parametrize(
    ("interval", "rates"),
    [("epoch", [[0.05, 0.05], [0.025, 0.025]]), ("step", [[0.05, 0.025], [0.0125, 0.00625]])],
)
def test_it_steps_once_per_band_as_the_authors_do(interval: Any, rates: list[list[float]], tmp_path: Path) -> None:  # noqa: ANN401
    expected = small()
    means = authors_loop(expected, rates)
    module = BandwiseRestorationModule(small(), optimizer=sgd, scheduler=halving, scheduler_interval=interval)
    trainer = fit(module, tmp_path, epochs=2)
    assert trainer.global_step == 2 * 2 * BANDS
    assert float(trainer.callback_metrics["train/loss"]) == pytest.approx(means[-1], rel=1e-4)
    for name, parameter in expected.named_parameters():
        torch.testing.assert_close(module.network.get_parameter(name), parameter, rtol=1e-4, atol=1e-6, msg=name)


def test_it_trains_without_a_schedule(tmp_path: Path) -> None:
    module = BandwiseRestorationModule(small(), optimizer=sgd)
    fit(module, tmp_path, epochs=1)
    assert not torch.equal(module.network.get_parameter("fusion.gamma_join"), torch.ones(4))


def test_loss_that_is_not_finite_names_band_and_scenes(tmp_path: Path) -> None:
    with pytest.raises(FloatingPointError, match=r"nan at step 2, epoch 0, band 2 of batch 0, scenes scene0, scene1;"):
        fit(BandwiseRestorationModule(small(), optimizer=sgd), tmp_path, epochs=1, spoilt=True)


@pytest.mark.parametrize("network", [UpsampledInput(nn.Identity()), nn.Conv2d(3, 3, 1)])
def test_network_without_single_bands_gives_a_sentence(network: nn.Module) -> None:
    with pytest.raises(ValueError, match=f"{type(network).__name__} does not restore single bands; use Restoration"):
        BandwiseRestorationModule(network)
