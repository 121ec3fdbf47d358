"""The results table: every scene once, source-only beside adapted, the protocol in the file."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from lightning.pytorch.loggers import CSVLogger

from callbacks import Pictures
from callbacks.reporting.results_table import ResultsTable, Row, as_markdown, means
from tests.callbacks.tiny import tiny_data, tiny_module, tiny_trainer


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_table_holds_every_scene_for_both_models_with_scores_of_the_protocol(tmp_path: Path) -> None:
    module, data = tiny_module(tmp_path), tiny_data(tmp_path)
    trainer = tiny_trainer(tmp_path, [ResultsTable(str(tmp_path / "out"))])
    trainer.test(module, datamodule=data, verbose=False)
    rows = rows_of(tmp_path / "out" / "results.csv")
    assert len(rows) == 2 * 5
    assert {(row["test_set"], row["scene"]) for row in rows} == {
        *(("observed", name) for name in ("amber", "birch", "coral")),
        *(("unobserved", name) for name in ("delta", "ember")),
    }
    observation = next(one.cube for one in data.observations() if one.name == "amber")
    restored = module.source_network()(observation[None])[0]
    expected = module.protocol.evaluate(restored, data.scenes(["amber"])[0].load().cube)
    found = next(row for row in rows if row["scene"] == "amber" and row["model"] == "source-only")
    assert float(found["psnr"]) == pytest.approx(expected["psnr"], abs=1e-6)
    assert float(found["sam"]) == pytest.approx(expected["sam"], abs=1e-6)


def test_untrained_module_scores_what_its_source_scores_and_trained_does_not(tmp_path: Path) -> None:
    module = tiny_module(tmp_path)
    table = ResultsTable(str(tmp_path / "out"))
    trainer = tiny_trainer(tmp_path, [table])
    trainer.test(module, datamodule=tiny_data(tmp_path), verbose=False)
    same = means(table.rows)
    assert same["observed", "adapted"]["psnr"] == pytest.approx(same["observed", "source-only"]["psnr"], abs=1e-9)
    with torch.no_grad():
        next(module.network.parameters()).add_(0.1)
    trainer.test(module, datamodule=tiny_data(tmp_path), verbose=False)
    other = means(table.rows)
    assert other["observed", "source-only"]["psnr"] == pytest.approx(same["observed", "source-only"]["psnr"], abs=1e-9)
    assert abs(other["observed", "adapted"]["psnr"] - same["observed", "adapted"]["psnr"]) > 0.1


def test_markdown_begins_with_the_protocol_and_gives_the_mean(tmp_path: Path) -> None:
    rows = [
        Row("observed", "a", "adapted", 30.0, 0.9, 5.0, 10.0),
        Row("observed", "b", "adapted", 32.0, 0.8, 7.0, 20.0),
    ]
    text = as_markdown(rows, "range 1; seed 7")
    assert text.startswith("Protocol: range 1; seed 7\n")
    assert "| observed | **mean** | adapted | 31.00 | 0.8500 | 6.00 | 15.00 |" in text
    assert "| observed | b | adapted | 32.00 | 0.8000 | 7.00 | 20.00 |" in text


def test_file_names_task_and_seed(tmp_path: Path) -> None:
    trainer = tiny_trainer(tmp_path, [ResultsTable(str(tmp_path / "out"), compare_source=False)])
    trainer.test(tiny_module(tmp_path, source=False), datamodule=tiny_data(tmp_path), verbose=False)
    first = (tmp_path / "out" / "results.md").read_text().splitlines()[0]
    assert "band_choice" in first
    assert "seed 3" in first
    assert {row["model"] for row in rows_of(tmp_path / "out" / "results.csv")} == {"adapted"}


def test_without_a_folder_results_and_pictures_go_where_the_run_logs(tmp_path: Path) -> None:
    logger = CSVLogger(tmp_path / "logs")
    trainer = tiny_trainer(tmp_path, [ResultsTable(), Pictures(scenes=1)], logger=logger)
    trainer.test(tiny_module(tmp_path), datamodule=tiny_data(tmp_path), verbose=False)
    logs = Path(logger.log_dir)
    written = {path.relative_to(logs).as_posix() for path in logs.rglob("*") if path.is_file()}
    assert {"results.csv", "results.md", "pictures/observed/amber.png"} <= written
