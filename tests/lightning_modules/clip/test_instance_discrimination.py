"""The tower made from nothing: views that stay sharp, and photographs that are recognised."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lightning_modules import InstanceDiscrimination, LinearWarmupCosine
from lightning_modules.clip.instance_discrimination import VIEW_NUMBERS, random_views
from tests.lightning_modules.tiny_clip import MadePhotographs, made_images, save_tiny_encoder, tiny_trainer


def test_views_depend_on_their_numbers_and_keep_the_picture() -> None:
    images = made_images(4, 0)
    numbers = torch.rand(4, VIEW_NUMBERS, generator=torch.Generator().manual_seed(0))
    views = random_views(images, numbers)
    assert views.shape == images.shape
    assert 0 <= float(views.min()) < float(views.max()) <= 1
    assert torch.equal(random_views(images, numbers), views)
    # The whole frame, unmirrored, with no gain and no contrast, in colour, is the image itself.
    still = torch.tensor([1.0, 0.5, 0.5, 0.9, 0.5, 0.5, 0.5, 0.5, 0.5, 0.9]).expand(4, -1)
    torch.testing.assert_close(random_views(images, still), images, rtol=0, atol=1e-5)
    mirrored = still.clone()
    mirrored[:, 3] = 0.1
    torch.testing.assert_close(random_views(images, mirrored), images.flip(-1), rtol=0, atol=1e-5)
    grey = still.clone()
    grey[:, 9] = 0.1
    torch.testing.assert_close(random_views(images, grey), images.mean(1, keepdim=True).expand(-1, 3, -1, -1))


def test_photographs_are_recognised_after_training(tmp_path: Path) -> None:
    module = InstanceDiscrimination(
        str(save_tiny_encoder(tmp_path / "pipeline", factor=1.0)),
        optimizer=lambda parameters: torch.optim.Adam(parameters, lr=3e-3),
        scheduler=lambda optimizer: LinearWarmupCosine(optimizer, 10, 160),
        output=str(tmp_path / "out"),
    )
    data = MadePhotographs(32, made_images(128, 1), made_images(28, 2))
    (before,) = tiny_trainer(tmp_path).validate(module, data, verbose=False)
    trainer = tiny_trainer(tmp_path, max_epochs=40, check_val_every_n_epoch=40)
    trainer.fit(module, data)
    # Among seven held-out pictures, chance is a seventh.
    assert before["val/recognised"] < 0.2
    assert float(trainer.callback_metrics["val/recognised"]) > 0.25
    # Two directions of guessing among 32 cost 2 ln 32 = 6.93.
    assert float(trainer.callback_metrics["train/loss"]) < 6.6
    assert (tmp_path / "out" / "image_encoder" / "config.json").is_file()


def test_a_temperature_of_nothing() -> None:
    with pytest.raises(ValueError, match=r"the temperature 0\.0 must be above 0, such as 0\.1"):
        InstanceDiscrimination(temperature=0.0)
