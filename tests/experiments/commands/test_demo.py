"""The demonstration: which run it is, and what it leaves."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from datamodules.scenes.readers import open_cube
from experiments.commands import demo
from experiments.configuration.files import find_config
from lightning_modules import read_weights

HELD_BACK = ["motorcycle_02.img", "motorcycle_04.img", "motorcycle_06.img"]


def test_demo_adapts_to_a_folder_of_noisy_cubes_and_leaves_tables_and_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "SIDE", 64)
    small = ["--data.init_args.patch_size=32", "--data.init_args.patches_per_epoch=8", "--trainer.max_epochs=1"]
    small += ["--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false", "--trainer.logger=false"]
    assert demo.main(["--output", str(tmp_path), *small]) == 0
    assert len(list((tmp_path / "cubes").iterdir())) == 2 * 6
    with (tmp_path / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 6
    assert {row["scene"] for row in rows if row["test_set"] == "unobserved"} == set(HELD_BACK)
    # The shipped denoiser works: band sigmas of 10 to 70 leave about 17 dB, which it raises by far.
    assert min(float(row["psnr"]) for row in rows if row["model"] == "source-only") > 24
    with (tmp_path / "gain.csv").open(newline="") as file:
        gains = list(csv.DictReader(file))
    assert len(gains) == 6
    psnr = {(row["scene"], row["model"]): float(row["psnr"]) for row in rows}
    for gain in gains:  # the true gain beside the estimated one is that of the other table
        true = psnr[gain["scene"], "adapted"] - psnr[gain["scene"], "source-only"]
        assert float(gain["true"]) == pytest.approx(true, abs=1e-3)
        assert float(gain["low"]) < float(gain["change"]) < float(gain["high"])
    assert (tmp_path / "noise.json").exists()
    assert (tmp_path / "report.html").stat().st_size > 1_000_000
    for test_set in ("observed", "unobserved"):
        assert len(list((tmp_path / "pictures" / test_set).glob("*.png"))) == 2 * 3


def test_the_cubes_are_noisy_files_whose_noise_goes_by_the_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "SIDE", 48)
    assert demo.write_cubes(tmp_path / "a", tmp_path / "clean", 0) == HELD_BACK
    demo.write_cubes(tmp_path / "b", tmp_path / "clean", 0)
    demo.write_cubes(tmp_path / "c", tmp_path / "clean", 1)
    name = HELD_BACK[0]
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert (tmp_path / "a" / name).read_bytes() != (tmp_path / "c" / name).read_bytes()
    noisy, clean = (np.fromfile(tmp_path / part / name, "<f4").reshape(31, 48, 48) for part in ("a", "clean"))
    sigmas = (noisy - clean).std(axis=(1, 2)) * 255
    # Each band has one of four sigmas; a sample of 48 x 48 pixels tells it within 6 %.
    assert all(min(abs(sigma / one - 1) for one in (10, 30, 50, 70)) < 0.06 for sigma in sigmas)


def test_an_envi_image_is_read_back_with_its_wavelengths(tmp_path: Path) -> None:
    cube = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    demo.write_envi(tmp_path / "new" / "cube.img", cube, (450.0, 512.5))
    file = open_cube(tmp_path / "new" / "cube.img")
    assert file.wavelengths == (450.0, 512.5)
    assert np.array_equal(file.window(0, 0, 3, 4), cube.numpy())


def test_it_is_one_adaptation_whose_files_lie_in_one_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []

    def run(words: list[str]) -> SimpleNamespace:
        given.extend(words)
        return SimpleNamespace(trainer=None)

    monkeypatch.setattr(demo, "run", run)
    monkeypatch.setattr(demo, "page_of_run", lambda trainer, folder, title, seconds: None)
    monkeypatch.setattr(demo, "ending", lambda command, words, places: f"{words[0]} ended\n")
    monkeypatch.setattr(demo, "write_cubes", lambda cubes, clean, seed: [f"{cubes.name}_{clean.name}_{seed}"])
    assert demo.main(["--output", "there", "--seed", "7", "--trainer.max_epochs", "2"]) == 0
    assert given[0] == "adapt"
    configs = [given[place + 1] for place, word in enumerate(given) if word == "--config"]
    assert tuple(configs) == demo.CONFIGS
    options = {word: given[place + 1] for place, word in enumerate(given) if word.startswith("--")}
    assert (options["--seed_everything"], options["--data.seed"]) == ("7", "7")
    assert options["--data.unobserved"] == "[cubes_clean_7]"
    folders = [f"--{key}.folder" for key in ("results", "noise", "gain")]
    assert {options[key] for key in ["--trainer.default_root_dir", *folders]} == {"there"}
    inside = ("--data.root", "--data.clean_root", "--proxy.store", "--pictures.folder")
    assert [options[key] for key in inside] == [str(Path("there") / n) for n in ("cubes", "clean", "store", "pictures")]
    assert given[-2:] == ["--trainer.max_epochs", "2"]


def test_what_it_names_is_packaged() -> None:
    assert all(find_config(name).is_file() for name in demo.CONFIGS)
    assert read_weights(Path(demo.SOURCE))
