"""A network that a user keeps in the working directory is named in a configuration as ours are."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from experiments.cli import main

NETWORK = """\
from torch import nn
class TinyNet(nn.Module):
    def __init__(self, bands: int = 4):
        super().__init__()
        self.layer = nn.Linear(bands, bands)
    def forward(self, cube):
        return self.layer(cube)
"""


def test_a_network_of_the_working_directory_is_named_in_yaml(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (folder / "mynet.py").write_text(NETWORK)
    (folder / "own.yaml").write_text("model: {init_args: {network: {class_path: mynet.TinyNet}}}\n")
    assert main(["fit", "--config", "tiny", "--config", "own", "--trainer.fast_dev_run", "true"]) == 0
    assert sys.path[-1] == str(folder)
    assert "TinyNet (in own.yaml) takes the place of TinyNetwork (in tiny.yaml) as model.network" in (
        capsys.readouterr().err
    )
    sys.modules.pop("mynet", None)
