"""The moving average and its interpolation with the source: in checkpoints, after the fit, and in a resumed fit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.trainer import Trainer
from torch import Tensor

from callbacks import SourceAveraging
from lightning_modules import RestorationModule
from lightning_modules.checkpoints import load_weights, read_checkpoint
from tests.callbacks.tiny import MiniNetwork, stages, tiny_data, tiny_module, tiny_trainer, weights_of


class Trace(Callback):
    """Notes the trained weights after every step."""

    def __init__(self) -> None:
        self.weights: list[Tensor] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: RestorationModule, *_: object) -> None:  # type: ignore[override]
        self.weights.append(weights_of(pl_module))


def fitted(
    folder: Path, share: float, epochs: int = 2, resume: str | None = None
) -> tuple[RestorationModule, Trace, Path]:
    module, path = tiny_module(folder), Trace()
    saved = ModelCheckpoint(folder / "saved", filename="{epoch}", save_last=True, save_top_k=-1)
    averaging = SourceAveraging(decay=0.9, share=share)
    callbacks = [*stages(folder / "store", training="proxy_only"), averaging, path, saved]
    trainer = tiny_trainer(folder, callbacks, enable_checkpointing=True, max_epochs=epochs)
    trainer.fit(module, tiny_data(folder), ckpt_path=resume, weights_only=True)
    return module, path, folder / "saved" / "last.ckpt"


@pytest.mark.parametrize("share", [1.0, 0.6])
def test_checkpoint_and_module_end_with_source_plus_a_share_of_the_average(tmp_path: Path, share: float) -> None:
    source = weights_of(tiny_module(tmp_path))
    module, path, last = fitted(tmp_path, share)
    # Lightning's average begins as a copy after the first step.
    average = path.weights[0]
    for weights in path.weights[1:]:
        average = 0.9 * average + 0.1 * weights
    expected = source + share * (average - source)
    torch.testing.assert_close(weights_of(module), expected, rtol=0, atol=1e-6)
    network = MiniNetwork()
    load_weights(network, last)
    written = torch.cat([value.flatten() for value in network.state_dict().values()])
    torch.testing.assert_close(written, expected, rtol=0, atol=1e-6)
    assert float((expected - path.weights[-1]).abs().max()) > 1e-4
    assert ("average_model_state" in read_checkpoint(last)) == (share < 1)


def test_a_resumed_fit_ends_as_an_uninterrupted_one(tmp_path: Path) -> None:
    whole, _, last = fitted(tmp_path / "whole", 0.6)
    first = last.parent / "epoch=0.ckpt"
    resumed, _, _ = fitted(tmp_path / "resumed", 0.6, resume=str(first))
    torch.testing.assert_close(weights_of(resumed), weights_of(whole), rtol=0, atol=1e-6)


def test_wrong_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"SourceAveraging got decay=1\.0"):
        SourceAveraging(decay=1.0)
    with pytest.raises(ValueError, match=r"SourceAveraging got share=0\.0"):
        SourceAveraging(share=0.0)
    trainer = tiny_trainer(tmp_path, [SourceAveraging(share=0.5)])
    with pytest.raises(ValueError, match=r"share=0\.5 needs the weights that adaptation starts from"):
        trainer.fit(
            tiny_module(tmp_path, source=False),
            tiny_data(tmp_path, role="source", observed=None, unobserved=None, training=["amber"], validation=[]),
        )
