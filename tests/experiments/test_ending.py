"""What a run says last: what it left where, and a command that can be pasted."""

from __future__ import annotations

import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from datamodules import FusionPair
from experiments.cli import main
from experiments.configuration.lightning_cli import HyperalignCLI
from experiments.ending import as_word, next_command, without
from lightning_modules import FusionModule
from lightning_modules.networks.fusion.sstf_unet.network import SSTFUNet


def test_a_fit_ends_with_its_checkpoint_and_what_comes_next(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fit", "--config", "tiny", "--trainer.enable_model_summary", "true"]
    assert main(words) == 0
    captured = capsys.readouterr()
    lines = dict(line.split(": ", 1) for line in captured.out.splitlines() if ": " in line)
    assert Path(lines["checkpoint"].strip()).is_file()
    assert "next" not in lines  # the tiny module restores nothing that a test could score
    assert "TinyRestorer" in captured.out
    assert "FLOPs" not in captured.out + captured.err


def test_options_of_one_run_are_left_out_of_the_next() -> None:
    given = shlex.split("--config a --ckpt_path old.ckpt --resume --data.root 'my cubes' --output=out --verbose false")
    assert without(given) == ["--config", "a", "--data.root", "my cubes"]


def test_settings_are_written_as_the_command_line_takes_them() -> None:
    values = [True, None, 5, [-9999.0, 1.5], ["*.tif"], "400:700:31"]
    assert [as_word(value) for value in values] == ["true", "null", "5", "[-9999.0, 1.5]", '["*.tif"]', "400:700:31"]


def adapted(root: Path, **changes: object) -> HyperalignCLI:
    """A command that has adapted a fusion network to pairs in a folder."""
    given = {"root": str(root), "suffixes": None, "register": False, "captions": None, **changes}
    config = {"subcommand": "adapt", "adapt": {"data": {"init_args": given}}}
    data = FusionPair(str(root), register=bool(given["register"]))
    return cast(
        "HyperalignCLI",
        SimpleNamespace(model=FusionModule(SSTFUNet(input_channels=4, ratio=2)), datamodule=data, config=config),
    )


def test_an_adapted_fusion_network_is_followed_by_fusing_pairs_as_they_were_read(tmp_path: Path) -> None:
    checkpoint, arguments = tmp_path / "last.ckpt", ["adapt", "--data.register", "true"]
    following = next_command(adapted(tmp_path, register=True, captions="my words.json"), arguments, checkpoint)
    assert following == (
        f"hyperalign predict --data FusionPair --data.root {tmp_path} --data.register true "
        f"--data.captions 'my words.json' --output restored --ckpt_path {checkpoint}"
    )
    elsewhere = adapted(tmp_path)
    elsewhere.datamodule = cast("FusionPair", SimpleNamespace())
    following = next_command(elsewhere, ["adapt"], checkpoint)
    assert "--data FusionPair --data.root PAIRS --output restored" in following
    assert next_command(elsewhere, ["adapt"], None) == ""
