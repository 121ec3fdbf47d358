"""The page of one run: its scores, its scenes, and nothing where nothing was scored."""

from __future__ import annotations

from pathlib import Path

import pytest

from callbacks import ResultsTable, SceneArchive
from experiments.page.payload import payload
from experiments.page.single import page_of_run, run_store, scenes_folder
from tests.callbacks.tiny import tiny_data, tiny_module, tiny_trainer


def test_the_page_of_a_run_shows_its_scores_and_scenes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "run"
    callbacks = [ResultsTable(str(run)), SceneArchive(str(scenes_folder(run)), scenes=1, side=8)]
    trainer = tiny_trainer(tmp_path, callbacks)
    trainer.test(tiny_module(tmp_path), datamodule=tiny_data(tmp_path), verbose=False)
    assert page_of_run(trainer, run, "A run", 3.0) == run / "report.html"
    data = payload(run_store(run), 8)
    (table,) = data["tables"]
    assert table["rows"] == ["adapted", "source-only"]
    assert table["columns"] == ["observed", "unobserved"]
    rows = (run / "results.csv").read_text().splitlines()[1:]
    scores = [float(row.split(",")[3]) for row in rows if row.startswith("observed") and ",adapted," in row]
    assert table["cells"][0]["values"]["psnr"]["mean"] == pytest.approx(sum(scores) / len(scores))
    assert len(data["scenes"]) == 2
    assert set(data["scenes"][0]["cubes"]) == {"observation", "source", "restored", "target"}
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert page_of_run(trainer, run, "A run", 3.0) is None


def test_nothing_scored_leaves_no_page(tmp_path: Path) -> None:
    trainer = tiny_trainer(tmp_path, [])
    assert page_of_run(trainer, tmp_path, "A run", 3.0) is None
    assert not (tmp_path / "report.html").exists()
