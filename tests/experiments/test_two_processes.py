"""`--trainer.devices 2` as a user types it: an adaptation by two processes that talk by gloo, and its test."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hyperalign.command.search_path import ROOT

WORDS = [
    *("--config", "hir_align/adapt", "--config", "tasks/gaussian", "--data", "SampleScenes", "--data.crop", "48"),
    *("--data.patch_size", "32", "--data.patches_per_epoch", "8", "--data.batch_size", "2"),
    *("--model", "RestorationModule", "--model.network", "mynet.TinyNet", "--model.network.width", "4"),
    *("--trainer.max_epochs", "1", "--trainer.accelerator", "cpu"),
    *("--trainer.devices", "2", "--trainer.strategy", "ddp", "--trainer.log_every_n_steps", "1"),
    *("--trainer.enable_progress_bar", "false", "--trainer.limit_test_batches", "1"),
    *("--synthesis.guides", "PhotometricGuides", "--synthesis.ratio", "1", "--synthesis.transfer.steps", "2"),
    *("--pictures", "null", "--proxy.restorer", "OtherRestorer", "--proxy.restorer.network", "torch.nn.Identity"),
]  # fmt: skip


@pytest.fixture
def finished(tmp_path: Path) -> subprocess.CompletedProcess[str]:
    (tmp_path / "mynet.py").write_text((ROOT / "examples" / "mynet.py").read_text())
    kept = {key: value for key, value in os.environ.items() if key not in ("LOCAL_RANK", "WORLD_SIZE", "MASTER_PORT")}
    environment = {**kept, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "experiments", "adapt", *WORDS],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip


def test_two_processes_adapt_as_one_run(finished: subprocess.CompletedProcess[str], tmp_path: Path) -> None:
    assert finished.returncode == 0, finished.stderr[-3000:]
    assert [path.name for path in (tmp_path / "runs" / "lightning_logs").iterdir()] == ["version_0"]
    run = tmp_path / "runs" / "lightning_logs" / "version_0"
    assert len(list(run.glob("config*.yaml"))) == 1
    assert (run / "checkpoints" / "last.ckpt").is_file()
    with (run / "results.csv").open(newline="") as file:
        rows = [(row["test_set"], row["scene"]) for row in csv.DictReader(file)]
    # one batch of each set on each rank, and no scene twice
    assert len(rows) == len(set(rows)) == 4
    assert finished.stdout.count("next:") == 1
    assert finished.stderr.count("Proxies: 3 are made") == 1
    for warning in ("sync_dist", "strides", "find_unused_parameters", "DistributedSampler"):
        assert warning not in finished.stderr
