"""The demonstration: which run it is, and what it leaves."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from callbacks.reporting.drawing import POINTS
from experiments.commands import demo
from experiments.configuration.files import find_config
from lightning_modules import read_weights
from tests.experiments.small_hir_align import SMALL


def test_demo_adapts_the_shipped_checkpoint_and_leaves_table_and_pictures(tmp_path: Path) -> None:
    cache = ["--data.init_args.cache", str(tmp_path / "cache")]
    small = [*SMALL, "--trainer.max_epochs=1", "--synthesis.init_args.ratio=1"]
    small += ["--synthesis.init_args.guides=callbacks.PhotometricGuides"]
    small += ["--synthesis.init_args.transfer.init_args.steps=5"]
    assert demo.main(["--output", str(tmp_path), *cache, *small]) == 0
    with (tmp_path / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 6
    # The shipped denoiser works: band sigmas of 10 to 70 leave about 17 dB, which it raises by far.
    assert min(float(row["psnr"]) for row in rows if row["model"] == "source-only") > 24
    assert (tmp_path / "pictures" / "stages" / "round_1" / "motorcycle_01.png").exists()
    assert (tmp_path / "pictures" / "unobserved" / "motorcycle_02_spectra.png").exists()
    assert len(POINTS) == 3


def test_it_is_one_adaptation_whose_files_lie_in_one_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []
    monkeypatch.setattr(demo, "run", given.extend)
    monkeypatch.setattr(demo, "ending", lambda command, words: f"{words[0]} ended\n")
    assert demo.main(["--output", "there", "--seed", "7", "--trainer.max_epochs", "2"]) == 0
    assert given[0] == "adapt"
    configs = [given[place + 1] for place, word in enumerate(given) if word == "--config"]
    assert tuple(configs) == demo.CONFIGS
    options = {word: given[place + 1] for place, word in enumerate(given) if word.startswith("--")}
    assert (options["--seed_everything"], options["--data.seed"]) == ("7", "7")
    assert options["--trainer.default_root_dir"] == options["--results.folder"] == "there"
    assert {options["--proxy.store"], options["--pictures.folder"]} == {
        str(Path("there") / "store"), str(Path("there") / "pictures")
    }  # fmt: skip
    assert given[-2:] == ["--trainer.max_epochs", "2"]


def test_what_it_names_is_packaged() -> None:
    assert all(find_config(name).is_file() for name in demo.CONFIGS)
    assert read_weights(Path(demo.SOURCE))
