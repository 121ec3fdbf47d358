"""Exported weights: the same network, no path of the machine and no optimiser in the file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from experiments.commands.export import main
from lightning_modules import CheckpointError, read_weights
from tests.callbacks.tiny import tiny_data, tiny_module, tiny_trainer


def test_exported_weights_are_the_runs_and_carry_nothing_else(tmp_path: Path) -> None:
    module = tiny_module(tmp_path)
    trainer = tiny_trainer(tmp_path, [])
    data = tiny_data(tmp_path, role="source", observed=None, unobserved=None, training=["amber"], validation=["birch"])
    trainer.fit(module, datamodule=data)
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    assert main([str(tmp_path / "run.ckpt"), str(tmp_path / "out" / "weights.ckpt")]) == 0
    weights = read_weights(tmp_path / "out" / "weights.ckpt")
    assert torch.equal(weights["convolution.weight"], module.state_dict()["network.convolution.weight"])
    content = torch.load(tmp_path / "out" / "weights.ckpt", weights_only=True)
    assert set(content) == {"state_dict", "pytorch-lightning_version", "hyperalign", "hyperalign_digests"}
    assert str(tmp_path).encode() not in (tmp_path / "out" / "weights.ckpt").read_bytes()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["weights.ckpt"]
    again = tiny_module(tmp_path)
    again.source = str(tmp_path / "out" / "weights.ckpt")
    assert torch.equal(next(again.source_network().parameters()), next(module.network.parameters()))


def test_damaged_run_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "run.ckpt").write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match=r"run\.ckpt"):
        main([str(tmp_path / "run.ckpt"), str(tmp_path / "weights.ckpt")])
    assert not (tmp_path / "weights.ckpt").exists()
