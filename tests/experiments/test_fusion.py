"""The packaged fusion networks by command: fitted, tested, adapted and tabled on fake CAVE scenes."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest
import yaml

from experiments.cli import run
from experiments.commands import fusion_table
from lightning_modules import FusionModule, SSTFUNet
from tests.datamodules.fake_cave import fake_values, write_scene

SCENES = ["balloons", "cloth", "flowers", "hairs"]
NETWORKS = ["srlf", "bdt", "sstf_unet", "fusionmamba", "s2cyclediff"]
CONFIGS = Path(fusion_table.__file__).parents[1] / "fusion"
SMALLER = {"s2cyclediff": {"steps": 2}, "bdt": {"dim": 8, "spectral_dim": 8}}


def overlay(folder: Path, network: str | None) -> str:
    """Write a configuration that makes everything small enough for tests."""
    for name in SCENES:
        if not (folder / "cave" / f"{name}_ms").exists():
            write_scene(folder / "cave" / f"{name}_ms", name, fake_values(name, 32))
    content = {
        "model": {"init_args": {"network": {"init_args": SMALLER.get(network or "", {})}}},
        "data": {
            "init_args": {
                "split": "all",
                "training": SCENES[:2],
                "validation": SCENES[2:],
                "patch_size": 16,
                "patches_per_epoch": 2,
                "cache": str(folder / "cache"),
            }
        },
        "trainer": {"max_epochs": 1, "enable_progress_bar": False, "enable_model_summary": False},
    }
    if not SMALLER.get(network or ""):
        del content["model"]
    path = folder / f"small_{network}.yaml"
    path.write_text(yaml.safe_dump(content))
    return str(path)


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


def test_the_table_holds_every_row_and_does_not_run_it_again(tmp_path: Path) -> None:
    output = tmp_path / "table"
    words = ["--root", str(tmp_path / "cave"), "--config", overlay(tmp_path, None), "--output", str(output)]
    assert fusion_table.main([*words, "--rows", "bicubic", "sstf_unet"]) == 0
    table = (output / "table.md").read_text()
    assert [line.split("|")[1].strip() for line in table.splitlines()[2:]] == ["bicubic", "sstf_unet"]
    assert "48.57 / 0.9835 / 2.295 / 1.801" in table
    found = json.loads((output / "costs" / "sstf_unet.json").read_text())
    network = SSTFUNet(ratio=8, levels=1)
    assert found["parameters"] == sum(parameter.numel() for parameter in network.parameters())
    assert min(found.values()) > 0
    before = {path: path.stat().st_mtime_ns for path in output.rglob("results.csv")}
    assert fusion_table.main([*words, "--rows", "sstf_unet"]) == 0
    assert before == {path: path.stat().st_mtime_ns for path in output.rglob("results.csv")}
