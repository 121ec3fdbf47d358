"""Pictures of a whole tiny adaptation: the stages of every round, the test scenes, errors and spectra."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import torch
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn

from callbacks import ResultsTable
from callbacks.reporting.pictures import Pictures
from datamodules import FusionObservation
from tests.callbacks.tiny import stages, tiny_data, tiny_module, tiny_trainer
from tests.callbacks.tiny_fusion import fusion_data, fusion_module


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.png"))


def test_every_round_and_test_set_leaves_its_pictures(tmp_path: Path) -> None:
    module, data = tiny_module(tmp_path), tiny_data(tmp_path)
    pictures = Pictures(str(tmp_path / "pictures"), scenes=1)
    trainer = tiny_trainer(tmp_path, [*stages(tmp_path / "store", rounds=2), pictures], max_epochs=2)
    trainer.fit(module, datamodule=data)
    stage_files = ["stages/round_1/amber.png", "stages/round_1/amber_spectra.png"]
    stage_files += ["stages/round_2/amber.png", "stages/round_2/amber_spectra.png"]
    assert names(tmp_path / "pictures") == stage_files
    trainer.test(module, datamodule=data, verbose=False)
    tests = ["observed/amber.png", "observed/amber_spectra.png", "unobserved/delta.png", "unobserved/delta_spectra.png"]
    assert names(tmp_path / "pictures") == sorted(stage_files + tests)


def test_without_stages_only_test_scenes_are_drawn(tmp_path: Path) -> None:
    trainer = tiny_trainer(tmp_path, [Pictures(str(tmp_path / "pictures"), scenes=2)])
    trainer.test(tiny_module(tmp_path, source=False), datamodule=tiny_data(tmp_path), verbose=False)
    assert len(names(tmp_path / "pictures")) == 2 * 2 * 2


class Counting(nn.Module):
    """A fusion network that counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Conv2d(11, 8, 3, padding=1)
        self.calls: list[tuple[int, ...]] = []

    def __deepcopy__(self, memo: dict[int, Any]) -> Counting:
        copied = Counting()
        copied.load_state_dict(self.state_dict())
        copied.calls = self.calls
        return copied

    def forward(self, observation: Tensor, multispectral: Tensor) -> Tensor:
        self.calls.append(tuple(observation.shape[-2:]))
        restored: Tensor = observation + self.inner(torch.cat((observation, multispectral), dim=1))
        return restored


def test_pairs_are_drawn_and_scored_from_one_restoration_in_tiles(tmp_path: Path) -> None:
    network = Counting()
    module = fusion_module(tmp_path, network, tile=16)
    data = fusion_data(tmp_path, degradation=FusionObservation(1, "block_mean", response="nikon_d700"))
    table, pictures = ResultsTable(str(tmp_path / "out")), Pictures(str(tmp_path / "pictures"), scenes=9)
    trainer = tiny_trainer(tmp_path, [pictures, table])
    trainer.test(module, datamodule=data, verbose=False)
    assert len(table.rows) == 2 * 5
    assert len(names(tmp_path / "pictures")) == 2 * 5
    # five scenes of 24 x 24 in four tiles each, once by the tested weights and once by the source weights
    assert network.calls == [(16, 16)] * (5 * 4 * 2)


def test_pictures_are_shown_by_the_loggers(tmp_path: Path) -> None:
    class Shows(CSVLogger):
        shown: ClassVar[list[str]] = []

        def log_image(self, key: str, images: list[str], step: int) -> None:
            assert Path(images[0]).is_file()
            self.shown.append(key)

    pictures = Pictures(str(tmp_path / "pictures"), scenes=1)
    trainer = tiny_trainer(tmp_path, [*stages(tmp_path / "store"), pictures], logger=Shows(tmp_path / "logs"))
    module, data = tiny_module(tmp_path), tiny_data(tmp_path)
    trainer.fit(module, datamodule=data)
    trainer.test(module, datamodule=data, verbose=False)
    stage = ["pictures/stages/round_1/amber", "pictures/stages/round_1/amber_spectra"]
    tests = [f"pictures/{name}{kind}" for name in ("observed/amber", "unobserved/delta") for kind in ("", "_spectra")]
    assert Shows.shown == stage + tests
