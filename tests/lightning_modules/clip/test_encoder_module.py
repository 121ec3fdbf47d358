"""What modules that train an encoder share: embeddings as the checkpoint prepares images, and its checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.cli import ReduceLROnPlateau

from lightning_modules import CheckpointError, ClipError, weights_digest
from tests.lightning_modules.tiny_clip import (
    MEAN,
    SPREAD,
    MadePhotographs,
    made_images,
    save_tiny_encoder,
    tiny_blur_robust,
    tiny_trainer,
)


def test_a_checkpoint_of_other_source_weights_is_refused(pipeline: Path, tmp_path: Path) -> None:
    trainer = tiny_trainer(tmp_path, max_epochs=1, limit_val_batches=0)
    trainer.fit(tiny_blur_robust(pipeline), MadePhotographs())
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    other = save_tiny_encoder(tmp_path / "other", seed=1)
    with pytest.raises(CheckpointError, match=r"run\.ckpt was trained from other weights than those of .*other; set"):
        tiny_trainer(tmp_path).validate(tiny_blur_robust(other), MadePhotographs(), ckpt_path=tmp_path / "run.ckpt")
    deeper = save_tiny_encoder(tmp_path / "deeper", layers=3)
    with pytest.raises(CheckpointError, match=r"run\.ckpt do not fit CLIPVisionModelWithProjection: 16 of its .* miss"):
        tiny_trainer(tmp_path).validate(tiny_blur_robust(deeper), MadePhotographs(), ckpt_path=tmp_path / "run.ckpt")


def test_a_loss_that_is_not_finite_ends_the_fit(pipeline: Path) -> None:
    module = tiny_blur_robust(pipeline, optimizer=lambda parameters: torch.optim.SGD(parameters, lr=1e30))
    with pytest.raises(
        FloatingPointError, match=r"Training loss is (nan|inf) at step 1, epoch 0, batch 1, photographs"
    ):
        tiny_trainer(pipeline, max_epochs=3, limit_val_batches=0).fit(module, MadePhotographs())


def test_a_schedule_may_wait_on_a_metric_as_in_a_restorer(pipeline: Path, tmp_path: Path) -> None:
    """With a threshold that no loss falls by, the learning rate is halved after every epoch but the first."""
    module = tiny_blur_robust(
        pipeline,
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=1e-9),
        scheduler=lambda optimizer: ReduceLROnPlateau(
            optimizer, "train/loss", factor=0.5, patience=0, threshold=0.9, eps=0.0
        ),
    )
    trainer = tiny_trainer(tmp_path, max_epochs=3, limit_train_batches=1, limit_val_batches=0)
    trainer.fit(module, MadePhotographs())
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.25e-9)


def test_images_are_standardised_as_the_checkpoint_says_and_embedded_in_float32(pipeline: Path) -> None:
    module = tiny_blur_robust(pipeline)
    images = made_images(3, 0)
    found = module(images)
    assert module.encoder is not None
    mean, spread = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, SPREAD))
    expected = module.encoder((images - mean) / spread).image_embeds
    torch.testing.assert_close(found, expected)
    assert found.dtype == torch.float32
    with pytest.raises(ClipError, match=r"Images of 3 x 40 x 40 reach an encoder that takes 3 x 32 x 32; set"):
        module(torch.zeros(1, 3, 40, 40))


def test_nothing_is_read_before_it_is_needed_and_then_once(pipeline: Path) -> None:
    module = tiny_blur_robust(pipeline)
    assert list(module.parameters()) == []
    for ask in (module.trained, lambda: module.embed(None, made_images(1, 0))):
        with pytest.raises(ClipError, match="BlurRobustCLIP has no encoder yet; call configure_model first"):
            ask()
    module.configure_model()
    encoder = module.encoder
    module.configure_model()
    assert module.encoder is encoder
    assert module.trained().network is encoder
    content: dict[str, Any] = {}
    module.on_save_checkpoint(content)
    assert content["hyperalign"]["network"] == "BlurRobustCLIP"
    assert content["hyperalign"]["source_digest"] == weights_digest(module.trained().network)
