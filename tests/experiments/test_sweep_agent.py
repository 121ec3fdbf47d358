"""One command of a sweep, as an agent starts it, run to its end with Weights & Biases offline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from experiments.cli import run
from experiments.configuration.files import PACKAGED
from experiments.reproduction.sweeps import read_sweep

SMALL = ("--data.crop=32", "--data.patches_per_epoch=4", "--synthesis.transfer.steps=1", "--trainer.max_epochs=1")


def test_an_agents_run_logs_its_settings_and_what_the_sweep_optimises(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.chdir(tmp_path)
    sweep = read_sweep("adaptation_small")
    values = sweep.combinations()[0]
    source = PACKAGED / "hir_align" / "checkpoints" / "gaussian.ckpt"
    words = [word for word in sweep.line(values)[1:] if not word.startswith(("--model.source", "--data.root"))]
    words += [f"--model.source={source}", f"--data.root={shared / 'data' / 'CAVE' / 'complete_ms_data'}", *SMALL]
    words += ["--trainer.default_root_dir=root", "--proxy.store=stages"]
    command = run(words)
    try:
        assert sweep.metric in command.trainer.callback_metrics
        logger: Any = command.trainer.loggers[0]
        settings = dict(logger.experiment.config)
        assert settings["model"]["init_args"]["scheduler"]["init_args"]["max_lr"] == values["model.scheduler.max_lr"]
        assert settings["synthesis"]["init_args"]["training"] == "mixed"
        summary = logger.experiment.summary
        assert summary[sweep.metric] == pytest.approx(float(command.trainer.callback_metrics[sweep.metric]), abs=1e-3)
        assert {"proxies/seconds", "synthesis/kappa"} <= set(summary.keys())
    finally:
        wandb.finish()
    assert list((tmp_path / "root" / "wandb").glob("offline-run-*"))
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "wandb").exists()
