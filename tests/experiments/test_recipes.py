"""Recipes type no length, leave a backbone its own training, and the demo states its own choices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from experiments.commands.demo import CONFIGS
from experiments.configuration.files import PACKAGED, find_config
from experiments.configuration.tree import ConfigTree

LENGTHS = ("total", "total_steps", "T_max", "steps_per_epoch", "total_iters")
OWN = ("loss", "optimizer", "network")


def keys_of(value: Any) -> list[str]:  # noqa: ANN401 - YAML
    if isinstance(value, dict):
        return [str(key) for key in value] + [key for one in value.values() for key in keys_of(one)]
    return [key for one in value for key in keys_of(one)] if isinstance(value, list) else []


@pytest.mark.parametrize("path", sorted(PACKAGED.rglob("*.yaml")), ids=lambda path: path.stem)
def test_no_config_types_the_length_of_a_schedule(path: Path) -> None:
    assert not set(keys_of(yaml.safe_load(path.read_text(encoding="utf-8")))) & set(LENGTHS)


@pytest.mark.parametrize("name", ["adapt", "pretrain"])
def test_a_backbone_keeps_its_loss_optimiser_and_patches(name: str) -> None:
    content = yaml.safe_load((PACKAGED / "hir_align" / f"{name}.yaml").read_text(encoding="utf-8"))
    model, data = content.get("model", {}).get("init_args", {}), content["data"]["init_args"]
    assert not set(model) & set(OWN)
    assert not set(data) & {"patch_size", "batch_size"}
    assert "gradient_clip_val" not in content["trainer"]


def test_the_demo_states_its_own_choices() -> None:
    """The values its printed numbers were measured with, whatever the backbone and the recipe say."""
    tree = ConfigTree()
    for name in CONFIGS:
        tree.merge(yaml.safe_load(find_config(name).read_text(encoding="utf-8")), name)
    alone = yaml.safe_load(find_config("hir_align/demo").read_text(encoding="utf-8"))
    for settings in (tree.settings, alone):
        model, data = settings["model"]["init_args"], settings["data"]["init_args"]
        assert model["loss"] == "torch.nn.L1Loss"
        assert model["optimizer"] == {"class_path": "torch.optim.Adam", "init_args": {"lr": 6e-4}}
        schedule = {"class_path": "lightning_modules.OneCycle", "init_args": {"max_lr": 6e-4, "pct_start": 0.1}}
        # the recipe's `full_from` lowers the peak of shorter runs alone
        model["scheduler"]["init_args"].pop("full_from", None)
        assert model["scheduler"] == schedule
        assert model["scheduler_interval"] == "step"
        assert {key: data[key] for key in ("crop", "patch_size", "patches_per_epoch", "batch_size")} == {
            "crop": 128,
            "patch_size": 48,
            "patches_per_epoch": 256,
            "batch_size": 4,
        }
        assert {key: settings["trainer"][key] for key in ("max_epochs", "gradient_clip_val")} == {
            "max_epochs": 4,
            "gradient_clip_val": 1.0,
        }
