"""`hyperalign reproduce`: help, a list of what there is to run, the share of a job array, rows without their data."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.cli import main, overview
from experiments.commands import reproduce
from experiments.reproduction import execution
from experiments.reproduction.plan import Run
from experiments.reproduction.store import Record, ResultsStore


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Digests of the runs that were made."""
    digests: list[str] = []

    def make(run: Run, store: ResultsStore) -> Record:
        digests.append(run.digest)
        scene = {"test_set": "observed", "scene": "a", "psnr": 30.0, "ssim": 0.9, "sam": 5.0}
        record = Record(run.digest, run.command, run.words, run.seed, "done", scenes=(scene,))
        store.write(record)
        return record

    monkeypatch.setattr(execution, "make", make)
    return digests


def test_the_command_is_listed_with_its_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert "reproduce " in overview()
    with pytest.raises(SystemExit):
        main(["reproduce", "--help"])
    shown = capsys.readouterr().out
    for word in ("hir_align/table6", "co2if/figure6", "--budget", "--rows", "--seeds", "--root", "--output"):
        assert word in shown
    assert "tables/" not in overview()


def test_a_table_is_filled_once_and_goes_on_where_it_stopped(
    folder: Path, made: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["reproduce", "hir_align/table6", "--root", str(folder), "--output", "store"]
    assert main([*words, "--rows", "source only"]) == 0
    assert len(made) == 2
    assert "| source only | 30.00 / 0.9000 / 5.00 (printed 37.39 / 0.924 / 12.37)" in capsys.readouterr().out
    assert main(words) == 0
    assert len(made) == 8
    assert main([*words, "--seeds", "0", "1"]) == 0
    assert len(made) == len(set(made)) == 16
    (table,) = ResultsStore(folder / "store").tables()
    assert all(set(cell.runs) == {"0", "1"} for cell in table.cells)


def test_tasks_of_an_array_make_different_runs(folder: Path, made: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", "3")
    for task in "012":
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", task)
        assert main(["reproduce", "hir_align/table6", "--root", str(folder), "--output", f"store_{task}"]) == 0
    assert len(made) == len(set(made)) == 8


def test_tasks_that_begin_one_after_another_leave_nothing_out(
    folder: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", "3")
    for task in "021":
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", task)
        assert main(["reproduce", "hir_align/table6", "--root", str(folder), "--output", "store"]) == 0
    assert len(made) == len(set(made)) == 8


def test_rows_without_their_data_are_shown_as_such(
    folder: Path, made: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reproduce", "hir_align/table5", "--output", "store"]) == 0
    assert made == []
    shown = capsys.readouterr().out
    assert "| LRTV | HSIDwrD is not at data/HSIDwrD (--root HSIDwrD=FOLDER) (printed 23.81 / 0.78 / 7.72) |" in shown
    assert {one.status for one in ResultsStore(folder / "store").records()} == {"absent"}


def test_the_list_writes_nothing(folder: Path, made: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "co2if", "--list", "--root", str(folder), "--output", "store"]) == 0
    shown = capsys.readouterr().out
    assert "to run: --config co2if/cave" in shown
    assert "Chikusei is not at data/Chikusei" in shown
    assert not (folder / "store").exists()


def test_a_failed_run_is_told_and_ends_with_1(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(execution, "make", lambda run, store: Record(run.digest, "test", (), 0, "failed", "It broke."))
    words = ["reproduce", "hir_align/table6", "--rows", "source only", "--root", str(folder), "--output", "store"]
    assert main(words) == 1
    assert capsys.readouterr().err.count("failed: It broke.") == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["hir_align/tabel6"], "There is no table 'hir_align/tabel6': the nearest one is 'hir_align/table6'"),
        (["hir_align/table6", "--rows", "mixt"], "There is no row 'mixt': the nearest one is "),
        (["hir_align/table6", "--seeds", "-1"], "Argument --seeds: '-1' is no seed"),
        (["hir_align/table6", "--root", "CAVES=x"], "There is no data set 'CAVES': the nearest one is 'CAVE'"),
        (["hir_align/table6", "--root", "CAVE="], "The option --root CAVE= names no path"),
        (["hir_align/table6", "--file", "unclip"], "The option --file unclip names no path"),
        (
            ["hir_align/table6", "--file", "unlcip=x"],
            "There is no file of a table 'unlcip': the nearest one is 'unclip'",
        ),
        (["hir_align/table6", "--budget", "big"], "Argument --budget: invalid choice: 'big'"),
    ],
)
def test_mistakes_are_one_sentence(
    words: list[str], sentence: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reproduce", *words]) == 2
    assert capsys.readouterr().err.startswith(f"error: {sentence}")


def test_its_module_has_a_main() -> None:
    assert callable(reproduce.main)
