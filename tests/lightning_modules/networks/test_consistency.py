"""What brings restored cubes to agree with observations: fixed points, equations, keys, and checkpoints with it."""

from __future__ import annotations

from pathlib import Path

import lightning.pytorch as pl
import pytest
import torch
from torch import nn

import hyperalign
from datamodules import BandMissing, GaussianBlurring, RandomMask
from hyperalign.errors import InputError
from lightning_modules import SERT, BackProjection, KnownEntries, RestorationModule
from lightning_modules.restoration.loading import load_module


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def scene(seed: int = 0, side: int = 24) -> torch.Tensor:
    """A smooth cube 1 x 5 x H x W within (0, 1)."""
    coarse = torch.rand(1, 5, 4, 4, generator=seeded(seed))
    return nn.functional.interpolate(coarse, size=(side, side), mode="bicubic", align_corners=False).clamp(0.05, 0.95)


def small_sert() -> SERT:
    return SERT(input_channels=5, dim=8, window_sizes=[8], depths=[1], num_heads=[2], split_sizes=[1])


@pytest.mark.parametrize("task", [BandMissing(0.4), RandomMask(0.7)], ids=["bands", "entries"])
def test_observed_entries_come_out_as_they_went_in_and_the_others_as_restored(task: BandMissing | RandomMask) -> None:
    clean, restored = scene(), torch.rand(1, 5, 24, 24, generator=seeded(1))
    observed = task.draw((5, 24, 24), seeded(2)).apply(clean[0])[None]
    missing = observed == 0
    result = KnownEntries()(restored, observed)
    assert 0.2 < missing.float().mean() < 0.8
    assert torch.equal(result[~missing], clean[~missing])
    assert torch.equal(result[missing], restored[missing])


@pytest.mark.parametrize("boundary", ["reflect", "replicate", "circular", "zero"])
def test_the_blur_is_that_of_the_task(boundary: str) -> None:
    cube = scene()
    degraded = GaussianBlurring(9, 1.7, boundary).draw((5, 24, 24), seeded(0)).apply(cube[0].double())
    blurred = BackProjection(9, 1.7, boundary).blurred(cube.double())  # type: ignore[arg-type]
    torch.testing.assert_close(blurred[0], degraded, rtol=0, atol=1e-12)


def test_back_projection_goes_on_towards_cubes_that_blur_to_the_observation_and_rests_at_the_truth() -> None:
    clean = scene()
    first = BackProjection(9, 1.7, "reflect")
    observed = first.blurred(clean)
    torch.testing.assert_close(first(clean, observed), clean, rtol=0, atol=1e-6)
    rest = [(BackProjection(9, 1.7, "reflect", steps)(observed, observed) - clean).square().mean() for steps in (1, 4)]
    assert rest[1] < rest[0] < (observed - clean).square().mean()


@pytest.mark.parametrize("given", [{"kernel_size": 4}, {"sigma": 0.0}, {"steps": 0}, {"boundary": "wrap"}])
def test_a_blur_that_is_none_is_refused(given: dict[str, int]) -> None:
    with pytest.raises(InputError, match=r"^BackProjection got .*: give an odd width"):
        BackProjection(**given)  # type: ignore[arg-type]


def test_observations_of_another_size_are_refused() -> None:
    with pytest.raises(InputError, match=r"KnownEntries compares cubes of one size.*leave consistency out"):
        KnownEntries()(torch.rand(1, 5, 8, 8), torch.rand(1, 5, 4, 4))


def test_it_follows_wherever_cubes_are_restored_and_never_in_training(tmp_path: Path) -> None:
    observed = scene() * (torch.rand(1, 5, 24, 24, generator=seeded(3)) > 0.5)
    plain, consistent = (RestorationModule(small_sert(), consistency=one) for one in (None, KnownEntries()))
    consistent.network.load_state_dict(plain.network.state_dict())
    batch = {"observation": observed, "target": scene(), "name": ["one"]}
    expected = torch.where(observed != 0, observed, plain.restore(batch))
    torch.testing.assert_close(consistent.restore(batch), expected, rtol=0, atol=0)
    frozen = consistent.with_weights(consistent.weights())
    torch.testing.assert_close(frozen.restore(batch), expected, rtol=0, atol=0)
    assert torch.equal(consistent.training_loss(batch), plain.training_loss(batch))
    assert frozen.identity() == consistent.identity() != plain.identity()
    checkpoint = tmp_path / "one.ckpt"
    trainer = pl.Trainer(default_root_dir=str(tmp_path), logger=False, enable_checkpointing=False, accelerator="cpu")
    trainer.strategy.connect(consistent)
    trainer.save_checkpoint(checkpoint)
    again = load_module(str(checkpoint))
    torch.testing.assert_close(again.restore(batch), expected, rtol=0, atol=0)
    cube = hyperalign.restore(observed[0].numpy(), checkpoint)
    torch.testing.assert_close(torch.from_numpy(cube), expected[0], rtol=0, atol=1e-6)
