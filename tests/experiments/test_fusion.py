"""The packaged fusion networks by command: fitted, tested and adapted on fake CAVE scenes."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path

import pytest
import yaml

from experiments.cli import run
from experiments.commands import fusion_table
from lightning_modules import FusionModule
from tests.experiments.small_fusion import SCENES, overlay

NETWORKS = ["srlf", "bdt", "sstf_unet", "fusionmamba", "s2cyclediff"]
CONFIGS = Path(fusion_table.__file__).parents[1] / "fusion"


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_fits_and_tests_and_its_published_form_is_configured(tmp_path: Path, name: str) -> None:
    small = overlay(tmp_path, name)
    words = ["--config", f"fusion/{name}", "--config", f"fusion/compact/{name}", "--config", "fusion/small_budget"]
    words += ["--config", small, "--data.root", str(tmp_path / "cave")]
    words += ["--trainer.default_root_dir", str(tmp_path / "run"), "--trainer.logger", "false"]
    words += ["--results.init_args.folder", str(tmp_path / "run")]
    command = run(["fit", *words, "--trainer.check_val_every_n_epoch", "1"])
    assert isinstance(command.model, FusionModule)
    assert command.trainer.global_step == 1
    assert math.isfinite(float(command.trainer.callback_metrics["val/psnr"]))
    saved = next((tmp_path / "run").rglob("last.ckpt"))
    run(["test", *words, "--ckpt_path", str(saved), "--verbose", "false"])
    with (tmp_path / "run" / "results.csv").open(newline="") as file:
        assert [row["scene"] for row in csv.DictReader(file)] == SCENES[2:]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_configuration_states_the_printed_numbers_and_the_recipe(name: str) -> None:
    text = (CONFIGS / f"{name}.yaml").read_text()
    comment = " ".join(line.lstrip("# ") for line in text.splitlines() if line.startswith("#"))
    printed = "{:.2f} / {:.4f} / {:.3f} / {:.3f}".format(*fusion_table.PRINTED[name])
    assert printed in comment
    assert "The authors" in comment
    assert yaml.safe_load(text)["data"]["init_args"]["degradation"]["init_args"]["psf"] == "srlf"


@pytest.mark.parametrize("cubes", ["harvard", "chikusei"])
@pytest.mark.parametrize("name", NETWORKS)
def test_another_data_set_keeps_the_recipe_and_states_its_own_printed_numbers(name: str, cubes: str) -> None:
    text, base = (path.read_text() for path in (CONFIGS / cubes / f"{name}.yaml", CONFIGS / f"{name}.yaml"))
    data, recipe = (yaml.safe_load(one)["data"]["init_args"] for one in (text, base))
    for setting in ("patch_size", "patches_per_epoch", "batch_size", "split", "role", "seed"):
        assert data[setting] == recipe[setting]
    shared = yaml.safe_load((CONFIGS / f"{cubes}.yaml").read_text())
    assert data["degradation"] == shared["data"]["init_args"]["degradation"]
    network = yaml.safe_load(text).get("model", {}).get("init_args", {}).get("network")
    assert network == shared.get("model", {}).get("init_args", {}).get("network")
    printed = " ".join(line.lstrip("# ") for line in base.splitlines() if line.startswith("#"))
    own = re.search(rf"{cubes.capitalize()} (\d[\d. /]+\d)", printed)
    assert own is not None
    assert f"SSIM / SAM / ERGAS: {own[1]}." in text


def test_a_fusion_network_adapts_by_the_same_overlay(tmp_path: Path) -> None:
    small = overlay(tmp_path, "bdt")
    network = ["--config", "fusion/bdt", "--config", "fusion/compact/bdt", "--config", small]
    common = ["--data.root", str(tmp_path / "cave"), "--trainer.default_root_dir", str(tmp_path / "run")]
    common += ["--trainer.logger", "false", "--results.init_args.folder", str(tmp_path / "run")]
    run(["fit", *network, *common, "--trainer.check_val_every_n_epoch", "1"])
    source = next((tmp_path / "run").rglob("last.ckpt"))
    words = ["fit", *network[:4], "--config", "hir_align/adapt", "--config", "fusion/adapt", *network[4:], *common]
    words += ["--model.init_args.source", str(source), "--data.init_args.observed", "[balloons]"]
    words += ["--data.init_args.unobserved", "[cloth]", "--data.init_args.crop", "32"]
    words += ["--data.init_args.training", "null", "--data.init_args.validation", "null"]
    words += ["--proxy.init_args.store", str(tmp_path / "store")]
    command = run(words)
    assert command.trainer.global_step >= 1
    assert list((tmp_path / "store").rglob("*.json"))
