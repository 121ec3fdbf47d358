"""Files are read without running what is in them; everything that is no sound checkpoint is refused in one sentence."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_modules import SERT, CheckpointError, read_weights
from tests.lightning_modules.checkpoints.toys import OFFICIAL, Toy


class Harmful:
    """An object whose unpickling would run a function."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("this must not run",))


def test_pickled_code_is_refused_and_never_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "harmful.pth"
    torch.save({"state_dict": OFFICIAL, "extra": Harmful()}, path)
    with pytest.raises(
        CheckpointError, match=r"harmful.pth holds pickled code \(.*print\), which is never run; save only"
    ):
        read_weights(path)
    path.write_bytes(pickle.dumps(Harmful(), protocol=2))
    with pytest.raises(CheckpointError, match=r"holds pickled code \(.*print\)"):
        read_weights(path)
    torch.save(Toy(), path)
    with pytest.raises(CheckpointError, match=r"holds pickled code \(.*Toy\)"):
        read_weights(path)
    assert "must not run" not in capsys.readouterr().out


@pytest.mark.parametrize("kept", [0.0, 0.02, 0.5, 0.99])
def test_truncated_file(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "cut.ckpt"
    torch.save(SERT(dim=16, window_sizes=(8,), depths=(1,), num_heads=(2,), split_sizes=(1,)).state_dict(), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(CheckpointError, match=r"cut.ckpt is truncated \(\d+ bytes\); copy or download it again."):
        read_weights(path)


def test_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "damaged.ckpt"
    torch.save(OFFICIAL, path)
    content = bytearray(path.read_bytes())
    content[40:400] = bytes(360)
    for damaged in (bytes(content), b"\x80\x02K"):
        path.write_bytes(damaged)
        with pytest.raises(
            CheckpointError, match=r"damaged\.ckpt is damaged or holds more than weights; copy it again"
        ):
            read_weights(path)


def test_foreign_files(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    for content in (b"these are notes, not weights", b"\x89PNG\r\n\x1a\n" + bytes(100)):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"notes\.txt is not a PyTorch checkpoint; give a \.ckpt"):
            read_weights(path)
    torch.save([1, 2], path)
    with pytest.raises(CheckpointError, match="holds a list instead of named weights; save a state_dict"):
        read_weights(path)
    contents: list[dict[str, Any]] = [{"epoch": 3, "note": "x"}, {}, {"state_dict": {}}]
    for empty in contents:
        torch.save(empty, path)
        with pytest.raises(CheckpointError, match="holds no state dict"):
            read_weights(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.ckpt does not exist; give the path of an existing"):
        read_weights(tmp_path / "none.ckpt")


def test_a_folder_is_not_called_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"^Checkpoint .* is a folder; give the path of an existing \.ckpt"):
        read_weights(tmp_path)
