"""`hyperalign sweep`: the agent's commands printed, a grid run into a store, the best first."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.cli import main
from experiments.commands.sweep import cell_of
from experiments.reproduction import execution
from experiments.reproduction.plan import Run
from experiments.reproduction.specification import Source
from experiments.reproduction.store import Record, ResultsStore
from experiments.reproduction.sweeps import read_sweep
from hyperalign.errors import UsageError


def test_a_combination_becomes_a_run_without_the_servers_logger() -> None:
    sweep = read_sweep("adaptation_small")
    cell = cell_of(sweep, sweep.combinations()[-1])
    assert cell.source == Source("gaussian")
    assert cell.test_set == "unobserved"
    assert cell.run.configs[-1] == "hir_align/small_budget"
    assert cell.run.settings == (
        *("--model.scheduler.max_lr", "0.001", "--trainer.max_epochs", "4"),
        *("--synthesis.ratio", "3", "--synthesis.training", "proxy_only"),
    )
    assert cell.row == "max_lr 0.001, max_epochs 4, ratio 3, training proxy_only"
    for name in ("adaptation", "co2if_lambda_gamma"):
        with pytest.raises(UsageError, match="is for an agent"):
            cell_of(read_sweep(name), read_sweep(name).combinations()[0])


def test_the_agents_commands_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "co2if_lambda_gamma", "--print"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 16
    assert lines[1].startswith("hyperalign fit --config=co2if/cave --config=logger/wandb --model.network.scale_b=0.0")


def test_a_grid_is_run_once_and_shown_with_the_best_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[str] = []

    def make(run: Run, store: ResultsStore) -> Record:
        made.append(run.digest)
        psnr = 30.0 + len(made) % 7
        scene = {"test_set": "unobserved", "scene": "a", "psnr": psnr, "ssim": 0.9, "sam": 5.0}
        record = Record(run.digest, run.command, run.words, run.seed, "done", scenes=(scene,))
        store.write(record)
        return record

    monkeypatch.setattr(execution, "make", make)
    for _ in range(2):
        assert main(["sweep", "adaptation_small", "--root", str(folder), "--output", "store"]) == 0
    assert len(made) == len(set(made)) == 24
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| max_lr")][:24]
    numbers = [float(row.split("|")[2]) for row in rows]
    assert numbers == sorted(numbers, reverse=True)


def test_a_key_that_does_not_exist_is_refused_before_anything_is_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(execution, "make", lambda run, store: pytest.fail("a run was made"))
    words = ["sweep", "adaptation_small", "--root", str(folder), "--output", "store"]
    assert main([*words, "--synthesis.ratoi", "2"]) == 2
    assert "There is no key 'synthesis.ratoi'" in capsys.readouterr().err


def test_what_failed_and_what_lacks_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(execution, "make", lambda run, store: Record(run.digest, "adapt", (), 0, "failed", "It broke."))
    assert main(["sweep", "adaptation_small", "--root", str(folder), "--output", "store"]) == 1
    assert capsys.readouterr().err.count("failed: It broke.\n") == 24
    assert main(["sweep", "adaptation_small", "--root", "nowhere", "--output", "store"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-4].startswith("0 of 24 runs were made.")
    assert said[-3] == "Not run: CAVE is not at nowhere (--root CAVE=FOLDER)"
    assert said[-2:] == ["store:          store", "next:           hyperalign report store"]
