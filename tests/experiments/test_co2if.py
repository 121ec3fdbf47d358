"""The packaged CO2IF experiments: configurations, ablation overlays and their table, at a size for tests."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import yaml

from experiments.cli import run
from experiments.commands import ablations, flops
from lightning_modules import CO2IF, FusionModule
from tests.datamodules.fake_cave import fake_values, write_scene

SCENES = ["balloons", "cloth", "flowers", "hairs"]
CONFIGS = Path(ablations.__file__).parents[1] / "co2if"
COMPACT: dict[str, Any] = {
    "dim": 8,
    "encoder_blocks": 1,
    "decoder_blocks": 1,
    "embedding_width": 8,
    "feed_forward": 1.0,
    "state_dim": 2,
    "cot_smooth_steps": 0,
}


@pytest.fixture
def small(tmp_path: Path) -> list[str]:
    """Four fake CAVE scenes, two to train on, and a network of a few thousand parameters."""
    for name in SCENES:
        write_scene(tmp_path / "cave" / f"{name}_ms", name, fake_values(name, 32))
    overlay = {
        "model": {"init_args": {"network": {"init_args": COMPACT}}},
        "data": {
            "init_args": {
                "split": "all",
                "training": SCENES[:2],
                "validation": SCENES[2:],
                "patch_size": 16,
                "patches_per_epoch": 4,
                "cache": str(tmp_path / "cache"),
            }
        },
        "trainer": {"max_epochs": 1, "enable_progress_bar": False, "enable_model_summary": False},
    }
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
    assert [line.split("|")[1].strip() for line in table.splitlines()[2:]] == ["bicubic", "full", "without_msi"]
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


@pytest.mark.parametrize("path", sorted((CONFIGS / "ablations").glob("*.yaml")), ids=lambda path: path.stem)
def test_an_ablation_is_one_constructor_argument(path: Path) -> None:
    text = path.read_text()
    overlay = yaml.safe_load(text)["model"]["init_args"]["network"]["init_args"]
    assert len(overlay) == 1
    full = yaml.safe_load((CONFIGS / "cave.yaml").read_text())["model"]["init_args"]["network"]["init_args"]
    name, value = next(iter(overlay.items()))
    assert full.get(name) != value
    CO2IF(**(full | COMPACT | overlay))
    assert "50.25" in text.splitlines()[0]


@pytest.mark.parametrize(("config", "bands", "channels"), [("cave", 31, 3), ("harvard", 31, 3), ("chikusei", 128, 4)])
def test_full_size_configurations_build(config: str, bands: int, channels: int, tmp_path: Path) -> None:
    small = [
        word for name, value in COMPACT.items() for word in (f"--model.init_args.network.init_args.{name}", str(value))
    ]
    quiet = ["--trainer.logger=false", f"--trainer.default_root_dir={tmp_path}", "--print_config"]
    with pytest.raises(SystemExit) as stopped:
        run(["fit", "--config", f"co2if/{config}", *small, *quiet])
    assert stopped.value.code == 0
    settings = yaml.safe_load((CONFIGS / f"{config}.yaml").read_text())
    network = CO2IF(**(settings["model"]["init_args"]["network"]["init_args"] | COMPACT))
    assert (network.input_channels, network.multispectral_channels) == (bands, channels)
    assert settings["model"]["class_path"] == FusionModule.__name__


def test_operations_of_full_and_lighter_variants(capsys: pytest.CaptureFixture[str]) -> None:
    """A convolution saves operations, and four times the pixels take about four times as many."""
    base = flops.network_settings("cave") | COMPACT
    full, lighter = CO2IF(**base), CO2IF(**(base | flops.network_settings("ablations/convolution")))
    assert flops.gigaflops(lighter, 32) < flops.gigaflops(full, 32)
    unpaired = CO2IF(**(base | {"cot": "none"}))
    assert flops.gigaflops(unpaired, 64) == pytest.approx(4 * flops.gigaflops(unpaired, 32), rel=0.05)
    assert flops.main(["--rows", "full", "--side", "16"]) == 0
    assert "106.67" in capsys.readouterr().out
