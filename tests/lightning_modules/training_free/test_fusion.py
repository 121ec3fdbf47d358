"""Training-free fusion in the commands: tested on the observation's own grid, refused where it cannot be."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from callbacks import ResultsTable
from datamodules import BicubicDownsampling, FusionObservation
from hyperalign.errors import InputError, UsageError
from lightning_modules import FUSE, GSA, ICCV15, FusionSolverModule
from lightning_modules.solvers import SpatialResponse, gsa
from tests.callbacks.tiny import tiny_data, tiny_trainer
from tests.lightning_modules.solvers.fusion_cases import pairs


def test_the_table_holds_what_the_function_gives_on_the_grid_of_the_observation(tmp_path: Path) -> None:
    table = ResultsTable(str(tmp_path), name="GSA")
    module = FusionSolverModule(GSA())
    data = tiny_data(tmp_path, degradation=FusionObservation(4, "gaussian", kernel_size=5, sigma=1.5, offset=1.0))
    tiny_trainer(tmp_path, [table]).test(module, datamodule=data, verbose=False)
    batch = next(iter(data.test_dataloader()[1]))
    restored = gsa(batch["observation"], batch["multispectral"], ratio=4, phase=(1.0, 1.0)).restored
    scores = module.protocol.evaluate(restored[0], batch["target"][0])
    rows = {row.scene: row for row in table.rows}
    assert rows[batch["name"][0]].psnr == pytest.approx(float(scores["psnr"]), abs=1e-4)
    assert sum(module.seconds) > 0


def test_the_blur_of_the_observations_reaches_a_method_that_asks_for_it(tmp_path: Path) -> None:
    module = FusionSolverModule(FUSE(dimension=4, blur="observed"))
    given = FusionObservation(4, "gaussian", kernel_size=5, sigma=1.5, offset=1.0)
    identities = [module.identity()]
    for task, phase in ((given, 1.0), (FusionObservation(4, "bicubic"), 1.5)):
        data = tiny_data(tmp_path, degradation=task)
        tiny_trainer(tmp_path, []).test(module, datamodule=data, verbose=False)
        told = module.solver.spatial(4, (phase, phase))
        line = torch.tensor(task.spread.weights, dtype=torch.float64)
        assert told.first == (task.spread.first, task.spread.first)
        assert torch.allclose(told.kernel, torch.outer(line, line))
        assert told.phase == pytest.approx((phase, phase))
        identities.append(module.identity())
        assert identities[-1]["observed by"] == {"weights": list(task.spread.weights), "first": task.spread.first}
    assert len({str(one) for one in identities}) == 3
    unknown = tiny_data(tmp_path, degradation=BicubicDownsampling(4))
    with pytest.raises(UsageError, match="FUSE is to take the blur of the observations, but the data know none"):
        tiny_trainer(tmp_path, []).test(module, datamodule=unknown, verbose=False)


def test_there_is_nothing_to_fit(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="GSA has no weights to fit"):
        FusionSolverModule(GSA()).setup("fit")


def test_pairs_are_needed() -> None:
    with pytest.raises(InputError, match="of a comes without a multispectral image, which GSA needs"):
        FusionSolverModule(GSA()).restore({"observation": torch.rand(1, 4, 4, 4), "name": ["a"]})


def test_tiles_and_a_missed_stopping_rule_said_once(caplog: pytest.LogCaptureFixture) -> None:
    case = pairs(SpatialResponse.block_mean(4), scenes=1, size=(64, 48))
    batch = {"observation": case.observation, "multispectral": case.multispectral, "name": ["a"], "phase": 1.5}
    module = FusionSolverModule(ICCV15(endmembers=4, iterations=2))
    with caplog.at_level(logging.WARNING):
        module.restore(batch)
        module.restore(batch)
    assert caplog.text.count("ICCV15 did not meet its stopping rule for 1 of 1 scenes") == 1
    fuse = FusionSolverModule(FUSE(dimension=4))
    whole, tiled = fuse.restore(batch), fuse.restore(batch, tile=10)
    assert tiled.shape == whole.shape
    assert (tiled - case.truth).square().mean().sqrt() < 0.1
