"""The table of CO2IF and its ablations: its rows run once, its lines, its means."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import yaml

from experiments.commands import ablations, tables, text_table
from experiments.commands.ablations import rows_of, summary
from experiments.commands.tables import Table
from hyperalign.errors import UsageError
from tests.experiments.compact_co2if import COMPACT
from tests.experiments.small_fusion import SCENES, small_data


@pytest.fixture
def small(tmp_path: Path) -> list[str]:
    """Four fake CAVE scenes, two to train on, and a network of a few thousand parameters."""
    overlay = {"model": {"init_args": {"network": {"init_args": COMPACT}}}, **small_data(tmp_path, patches=4)}
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(overlay))
    towers = ["--model.init_args.towers.init_args.cache", str(tmp_path / "clip")]
    return [
        "--config",
        "co2if/compact",
        "--config",
        str(tmp_path / "small.yaml"),
        "--root",
        str(tmp_path / "cave"),
        *towers,
    ]


def test_table_trains_and_tests_each_row_once(tmp_path: Path, small: list[str]) -> None:
    words = [*small, "--output", str(tmp_path / "table")]
    assert ablations.main([*words, "--rows", "full", "without_msi"]) == 0
    table = (tmp_path / "table" / "table.md").read_text()
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:5]]
    assert [line[0] for line in lines] == ["bicubic", "full", "without_msi"]
    assert [line[-1] for line in lines] == ["", "50.25 / 0.9886 / 1.436 / 1.462", "a picture"]
    assert float(lines[2][-2]) < float(lines[1][-2])
    with (tmp_path / "table" / "scenes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["model"], row["scene"]) for row in rows] == [
        (model, scene) for model in ("bicubic", "full", "without_msi") for scene in SCENES[2:]
    ]
    assert len({row["psnr"] for row in rows}) == len(rows)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.ckpt")}
    assert ablations.main([*words, "--rows", "without_msi"]) == 0
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.ckpt")}
    assert (tmp_path / "table" / "table.md").read_text().count("|\n") == 2 + 2


def test_words_are_exchanged_made_up_and_drawn(tmp_path: Path, small: list[str]) -> None:
    assert text_table.main([*small, "--output", str(tmp_path / "words")]) == 0
    with (tmp_path / "words" / "scenes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    labels = ["own caption", "another scene's", "nonsense words", "Gaussian tokens", "trained without text"]
    assert [(row["model"], row["scene"]) for row in rows] == [(one, scene) for one in labels for scene in SCENES[2:]]
    assert len({row["psnr"] for row in rows}) == len(rows)
    assert len(list(tmp_path.rglob("last.ckpt"))) == 2  # the words are changed at test time


def test_a_row_is_the_full_configuration_under_its_overlay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, list[str]] = {}

    def run(words: list[str]) -> None:
        folder = Path(words[words.index("--results.folder") + 1])
        given[folder.name] = words
        folder.mkdir(parents=True)
        (folder / "results.csv").write_text("scene,model,psnr\ncloth,x,30\n")

    monkeypatch.setattr(tables, "run", run)
    table = Table(("co2if/cave",), None, tmp_path, ("--model.init_args.x", "1", "--data.y", "2"))
    for row in ("bicubic", "full", "cobra"):
        assert rows_of(table, row, 4)[0]["model"] == row
    assert [given[row][0] for row in ("bicubic", "full", "cobra")] == ["test", "adapt", "adapt"]
    assert "co2if/bicubic" in given["bicubic"]
    assert "--model.init_args.x" not in given["bicubic"]
    assert "--model.init_args.x" in given["full"]
    assert "co2if/ablations/cobra" in given["cobra"]
    assert not any("ablations" in word for word in given["full"])


def test_lines_are_means_their_spread_over_seeds_and_gains_over_the_enlargement() -> None:
    scores = {("bicubic", "0"): ("30", "32"), ("full", "0"): ("40", "41"), ("full", "1"): ("42", "43")}
    scores["bicubic", "1"] = scores["bicubic", "0"]
    rows = [
        {"model": model, "seed": seed, "psnr": psnr, "ssim": "0.9", "sam": "2", "ergas": "1.5"}
        for (model, seed), values in sorted(scores.items())
        for psnr in values
    ]
    lines = summary(rows).splitlines()
    assert lines[2].startswith("| bicubic | 31.00 ± 0.00 | 0.9000 ± 0.0000 | 2.00 ± 0.00 | 1.50 ± 0.00 | +0.00 |  |  |")
    assert lines[3].startswith("| full | 41.50 ± 1.41 |")
    assert lines[3].endswith("| +10.50 | 102.24 | 50.25 / 0.9886 / 1.436 / 1.462 |")
    one = summary([row for row in rows if row["seed"] == "0"]).splitlines()
    assert one[3].startswith("| full | 40.50 | 0.9000 | 2.00 | 1.50 | +9.50 |")


def test_an_unknown_row_is_one_sentence() -> None:
    with pytest.raises(UsageError, match=r"^There is no ablation 'cobbra': the nearest one is 'cobra', of full, "):
        ablations.main(["--rows", "cobbra"])
