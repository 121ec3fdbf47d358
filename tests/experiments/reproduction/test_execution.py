"""Runs are made once, in the order of their sources, and what fails is kept as a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from torch import nn

from experiments.reproduction import artifacts, execution
from experiments.reproduction.execution import line_of, make, missing, note_absent, unique
from experiments.reproduction.plan import Run
from experiments.reproduction.store import ResultsStore
from hyperalign.errors import InputError

SOURCE = Run("s", "fit", ("--config", "hir_align/pretrain"), 0, None, None, (), ())
ROW = Run("r", "adapt", ("--config", "hir_align/paper"), 0, SOURCE, None, (), ("--data.root", "here"))
CSV = "test_set,scene,model,psnr,ssim,sam,ergas\nobserved,a,ours,30.5,0.9,5.0,1.5\n"


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The command lines that were run; each leaves what a real one leaves."""
    lines: list[list[str]] = []

    def run(words: Sequence[str]) -> Any:  # noqa: ANN401 - in the place of a command
        lines.append(list(words))
        folder = Path(words[words.index("--trainer.default_root_dir") + 1])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "last.ckpt").write_text("weights")
        (folder / "results.csv").write_text(CSV)
        (folder / "results.md").write_text("Protocol: range 1\n\n| table |\n")
        return SimpleNamespace(trainer=SimpleNamespace(global_step=7, folder=folder), model=nn.Linear(2, 1))

    monkeypatch.setattr(execution, "run_command", run)
    monkeypatch.setattr(execution, "_last_checkpoint", lambda command, folder: folder / "last.ckpt")
    monkeypatch.setattr(artifacts, "keep", lambda trainer, folder: {"steps": trainer.global_step})
    monkeypatch.setattr(artifacts, "degradation_of", lambda trainer: {"kind": "Noise"})
    return lines


def test_a_source_is_trained_first_and_its_weights_go_on(tmp_path: Path, given: list[list[str]]) -> None:
    store = ResultsStore(tmp_path)
    record = make(ROW, store)
    assert [line[0] for line in given] == ["fit", "adapt"]
    source = str(store.checkpoint("s"))
    assert given[1][given[1].index("--model.source") + 1] == source
    assert Path(source).read_text() == "weights"
    assert given[1][given[1].index("--proxy.store") + 1] == str(store.stages())
    assert given[1][given[1].index("--data.root") + 1] == "here"
    assert list(record.scenes) == [
        {"test_set": "observed", "scene": "a", "psnr": 30.5, "ssim": 0.9, "sam": 5.0, "ergas": 1.5}
    ]
    assert record.protocol == "range 1"
    assert record.facts["steps"] == 7
    assert record.facts["parameters"] == 3
    assert record.memory > 0
    found = store.record("r")
    assert found is not None
    assert found.status == "done"
    assert found.source == "s"
    assert not missing(ROW, store)
    assert {one.digest for one in store.records()} == {"s", "r"}


def test_an_interrupted_run_goes_on_from_its_last_checkpoint(tmp_path: Path) -> None:
    store = ResultsStore(tmp_path)
    assert "--ckpt_path" not in line_of(ROW, store)
    last = store.folder("r") / "checkpoints" / "last.ckpt"
    last.parent.mkdir(parents=True)
    last.write_text("half")
    assert line_of(ROW, store)[line_of(ROW, store).index("--ckpt_path") + 1] == str(last)


def test_a_failure_of_ours_is_kept_and_tried_again(
    tmp_path: Path, given: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(words: Sequence[str]) -> None:
        raise InputError("Scene 'a' is truncated: copy it again.")

    store = ResultsStore(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(execution, "run_command", fail)
        record = make(ROW, store)
        assert (record.status, given) == ("failed", [])
        assert record.reason == "its source could not be trained: Scene 'a' is truncated: copy it again."
    assert missing(ROW, store)
    assert make(ROW, store).status == "done"


def test_an_error_that_is_nobodys_sentence_ends_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(words: Sequence[str]) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(execution, "run_command", fail)
    with pytest.raises(ZeroDivisionError):
        make(SOURCE, ResultsStore(tmp_path))


def test_what_is_not_there_is_noted_and_never_run(tmp_path: Path) -> None:
    store = ResultsStore(tmp_path)
    absent = Run("a", "test", (), 0, None, None, ("KAIST is not at x",), ())
    note_absent(absent, store)
    assert not missing(absent, store)
    found = store.record("a")
    assert found is not None
    assert (found.status, found.reason) == ("absent", "KAIST is not at x")
    # the data came
    assert missing(Run("a", "test", (), 0, None, None, (), ()), store)


def test_another_rank_writes_nothing(tmp_path: Path, given: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    make(ROW, ResultsStore(tmp_path))
    assert not (tmp_path / "runs").exists()
    assert len(given) == 2


def test_a_run_that_two_cells_share_is_one() -> None:
    assert unique([ROW, SOURCE, ROW]) == [ROW, SOURCE]
