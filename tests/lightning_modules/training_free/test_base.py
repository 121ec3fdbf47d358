"""What all methods without training do: nothing is fitted, and a missed stopping rule is said once."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from lightning_modules import LRTDTV, RCTV, SolverModule
from lightning_modules.solvers import rctv
from tests.callbacks.tiny import tiny_data, tiny_trainer
from tests.lightning_modules.solvers.scenes import clean_scene, noisy_scene

QUIET = ["--trainer.logger", "false", "--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu"]


def test_there_is_nothing_to_fit(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="RCTV has no weights to fit: use `test`, `validate` or `predict`, or make it"):
        tiny_trainer(tmp_path, []).fit(SolverModule(RCTV(rank=4)), datamodule=tiny_data(tmp_path))


def test_a_missed_stopping_rule_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    module = SolverModule(LRTDTV(rank=3, iterations=3))
    batch = {"observation": noisy_scene(clean_scene(6, 16, 16)).float(), "name": ["a"]}
    with caplog.at_level(logging.WARNING):
        module.restore(batch)
        module.restore(batch)
    assert caplog.text.count("LRTDTV did not meet its stopping rule for 1 of 1 scenes") == 1


def test_half_precision_around_it_does_not_reach_a_solver() -> None:
    observed = noisy_scene(clean_scene(6, 16, 16)).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        restored = RCTV(rank=3)(observed)
    assert torch.allclose(restored, rctv(observed, rank=3).restored)
    assert RCTV(rank=3)(observed.bfloat16()).dtype == torch.float32
