"""The packaged CO2IF experiments: configurations and ablation overlays, at a size for tests."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from experiments.cli import run
from experiments.commands import ablations
from lightning_modules import CO2IF, FusionModule
from tests.experiments.compact_co2if import COMPACT

CONFIGS = Path(ablations.__file__).parents[1] / "co2if"


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
