"""Exported weights: the same network, no path of the machine and no optimiser in the file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from experiments.cli import main as command
from experiments.commands.export import main
from hyperalign.errors import UsageError
from lightning_modules import CheckpointError, read_weights
from lightning_modules.checkpoints import load_weights
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
    load_weights(again.network, tmp_path / "out" / "weights.ckpt")
    assert torch.equal(next(again.network.parameters()), next(module.network.parameters()))


def test_damaged_run_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "run.ckpt").write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match=r"run\.ckpt"):
        main([str(tmp_path / "run.ckpt"), str(tmp_path / "weights.ckpt")])
    assert not (tmp_path / "weights.ckpt").exists()


def test_a_command_line_that_cannot_be_used_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, status, sentence in (
        (
            ["/nosuch", "x"],
            1,
            "Checkpoint /nosuch does not exist; give the path of an existing .ckpt, .pt or .pth file.",
        ),
        (["x"], 2, "The following arguments are required: target: `hyperalign export --help` shows what can be given."),
        (["x", "y", "z"], 2, "Unrecognized arguments: z: `hyperalign export --help` shows what can be given."),
        (["x", "y", "--hepl"], 2, "hyperalign export has no option '--hepl': the nearest one is '--help'."),
    ):
        assert command(["export", *words]) == status
        assert capsys.readouterr().err == f"error: {sentence}\n"


def test_weights_that_are_of_no_run_and_a_folder_as_their_target_are_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(2)}, tmp_path / "plain.pt")
    with pytest.raises(CheckpointError, match=r"plain\.pt has no field .state_dict., so no run wrote it"):
        main([str(tmp_path / "plain.pt"), str(tmp_path / "out.ckpt")])
    with pytest.raises(UsageError, match=r"holds a network's weights, which are one file, but .* is a folder\.$"):
        main([str(tmp_path / "plain.pt"), str(tmp_path)])
