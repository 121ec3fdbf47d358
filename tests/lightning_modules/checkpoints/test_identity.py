"""What a checkpoint says of itself arrives wherever it is loaded."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from datamodules import Chikusei
from datamodules.scenes.normalisation import check_rule
from lightning_modules import RestorationModule
from lightning_modules.checkpoints import recorded_training_data, training_data
from tests.callbacks.tiny import WAVELENGTHS, MiniNetwork, tiny_data, tiny_module, tiny_trainer


def source_data(folder: Path) -> Any:  # noqa: ANN401
    """Clean scenes, with a rule that their DataModule does not have."""
    data = tiny_data(folder, role="source", training=["amber"], validation=[], observed=None, unobserved=None)
    vars(data)["normalisation"] = "maximum"
    return data


def test_a_fit_records_wavelengths_and_normalisation_and_every_load_gives_them_back(tmp_path: Path) -> None:
    trainer = tiny_trainer(tmp_path, [], max_steps=1)
    trainer.fit(tiny_module(tmp_path, source=False), datamodule=source_data(tmp_path))
    path = tmp_path / "fitted.ckpt"
    trainer.save_checkpoint(path)
    expected = {"wavelengths": list(WAVELENGTHS), "normalisation": "maximum"}
    assert torch.load(path, weights_only=True)["hyperalign"]["training_data"] == expected
    by_checkpoint, by_source = RestorationModule(MiniNetwork()), RestorationModule(MiniNetwork(), source=str(path))
    data = tiny_data(tmp_path)
    tiny_trainer(tmp_path, []).predict(by_checkpoint, datamodule=data, ckpt_path=str(path), weights_only=True)
    tiny_trainer(tmp_path, []).predict(by_source, datamodule=data)
    assert by_checkpoint.trained_on == by_source.trained_on == expected
    # Saved again without a fit, it still says what it was trained on.
    again = tiny_trainer(tmp_path, [])
    again.predict(by_source, datamodule=None, dataloaders=[])
    again.save_checkpoint(tmp_path / "again.ckpt")
    assert torch.load(tmp_path / "again.ckpt", weights_only=True)["hyperalign"]["training_data"] == expected


def test_older_checkpoints_and_other_data_say_nothing() -> None:
    assert recorded_training_data(None) == {}
    assert recorded_training_data({"network": "SERT", "source_digest": None}) == {}
    assert training_data(None) == {}
    assert training_data(SimpleNamespace(wavelengths=None, normalisation=None)) == {}


def test_reflectances_that_are_clipped_for_training_are_not_scaled() -> None:
    assert training_data(SimpleNamespace(normalisation="clip")) == {"normalisation": "none"}


@pytest.mark.parametrize(("scale", "rule"), [(None, "maximum"), (10000.0, "scale:10000")])
def test_chikusei_says_its_scale_as_a_rule(tmp_path: Path, scale: float | None, rule: str) -> None:
    data = Chikusei(str(tmp_path), scale=scale)
    assert data.normalisation == rule
    assert check_rule(rule) == rule
