"""Training-free methods in the commands: tested, predicted, refused where there is nothing to fit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning import LightningModule

from callbacks import ResultsTable
from experiments.cli import main
from lightning_modules import LRMR, RCTV, RestorationModule, SolverModule, UpsampledInput
from lightning_modules.solvers import rctv, whitened_rctv
from tests.callbacks.tiny import tiny_data, tiny_trainer
from tests.lightning_modules.solvers.scenes import clean_scene, noisy_scene

QUIET = ["--trainer.logger", "false", "--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu"]


def test_the_table_holds_what_the_function_gives(tmp_path: Path) -> None:
    table = ResultsTable(str(tmp_path), name="RCTV")
    module = SolverModule(RCTV(rank=4))
    data = tiny_data(tmp_path)
    trainer = tiny_trainer(tmp_path, [table])
    trainer.test(module, datamodule=data, verbose=False)
    rows = {row.scene: row for row in table.rows}
    assert {row.model for row in table.rows} == {"RCTV"}
    batch = next(iter(data.test_dataloader()[1]))
    restored = rctv(batch["observation"], rank=4).restored
    scores = module.protocol.evaluate(restored[0], batch["target"][0])
    assert rows[batch["name"][0]].psnr == pytest.approx(float(scores["psnr"]), abs=1e-4)


def test_a_solver_stands_where_a_network_does() -> None:
    observed = noisy_scene(clean_scene(6, 16, 16)).float()
    assert UpsampledInput(scale=2, network=RCTV(rank=3))(observed).shape == (1, 6, 32, 32)
    module: LightningModule = RestorationModule(RCTV(rank=3))
    assert sum(value.numel() for value in module.parameters()) == 0
    assert "rank=3" in repr(RCTV(rank=3))


def test_only_local_methods_are_given_files_in_tiles() -> None:
    assert SolverModule(LRMR()).file_tile == 256
    assert SolverModule(RCTV()).file_tile > 100_000


def test_cubes_of_a_folder_keep_their_own_bands_and_are_restored_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    observed = noisy_scene(clean_scene(7, 20, 24)).float()
    np.save(tmp_path / "in" / "seven.npy", observed[0].numpy())
    command = ["predict", "--config", "solvers/whitened_rctv", "--model.init_args.solver.init_args.rank", "3"]
    folders = ["--data", "Folder", "--data.root", "in", "--data.axes", "CHW", "--data.normalisation", "none"]
    assert main([*command, *folders, "--data.wavelengths", "450:650:7", "--output", "out", *QUIET]) == 0
    restored = torch.from_numpy(np.load(tmp_path / "out" / "seven.npy"))
    assert torch.allclose(restored, whitened_rctv(observed, rank=3).restored[0], atol=1e-5)
    settings = json.loads((tmp_path / "out" / "seven.npy.json").read_text())["settings"]
    assert (settings["network"], settings["solver"]["rank"]) == ("WhitenedRCTV", 3)
