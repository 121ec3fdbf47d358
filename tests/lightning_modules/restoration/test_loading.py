"""A module from a checkpoint alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lightning_modules import GDRRN, RestorationModule
from lightning_modules.checkpoints import IDENTITY_KEY, CheckpointError
from lightning_modules.restoration.loading import load_module
from tests.lightning_modules.checkpoints.toys import Kept

SMALL: dict[str, Any] = {"input_channels": 4, "channels": 4, "groups": 2, "recursions": 1}


def saved(folder: Path, restorer: RestorationModule, **identity: Any) -> Path:  # noqa: ANN401
    """Write what a fit would, as far as loading asks."""
    content: dict[str, Any] = {"state_dict": restorer.state_dict(), "pytorch-lightning_version": "2.6.6"}
    restorer.on_save_checkpoint(content)
    content[IDENTITY_KEY] = {**content[IDENTITY_KEY], **identity}
    torch.save(content, folder / "run.ckpt")
    return folder / "run.ckpt"


def cube() -> Tensor:
    return torch.rand(1, 4, 6, 5, generator=torch.Generator().manual_seed(0))


def test_network_weights_and_data_come_from_the_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = RestorationModule(GDRRN(**SMALL)).eval()
    data = {"wavelengths": [400.0, 500.0, 600.0, 700.0], "normalisation": "per scene"}
    loaded = load_module(saved(tmp_path, module, training_data=data))
    with torch.no_grad():
        assert torch.equal(loaded(cube()), module(cube()))
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    assert list(loaded.trained_on["wavelengths"]) == data["wavelengths"]
    assert loaded.trained_on["normalisation"] == "per scene"


def test_a_given_network_takes_the_weights_of_a_file_that_describes_none(tmp_path: Path) -> None:
    torch.manual_seed(1)
    weights = Kept(4).state_dict()
    torch.save(weights, tmp_path / "weights.pt")
    with pytest.raises(CheckpointError, match="does not describe its network, as older and foreign ones do not: give"):
        load_module(tmp_path / "weights.pt")
    network = Kept(4, gain=2.0)
    loaded = load_module(tmp_path / "weights.pt", network)
    assert loaded.network is network
    assert torch.equal(network.convolution.weight, weights["convolution.weight"])
    assert loaded.trained_on == {}


def test_what_restores_nothing_and_what_is_missing_are_named(tmp_path: Path) -> None:
    description = {"class_path": "lightning_modules.GDRRN", "init_args": SMALL}
    path = saved(tmp_path, RestorationModule(GDRRN(**SMALL)), module=description)
    with pytest.raises(CheckpointError, match=r"run\.ckpt describes a GDRRN, which restores nothing"):
        load_module(path)
    with pytest.raises(FileNotFoundError):
        load_module(tmp_path / "none.ckpt")
    with pytest.raises(CheckpointError, match="do not fit Conv2d"):
        load_module(saved(tmp_path, RestorationModule(GDRRN(**SMALL))), nn.Conv2d(4, 4, 1))
