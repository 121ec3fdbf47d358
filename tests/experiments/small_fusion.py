"""Fake CAVE scenes for the fusion networks, and networks small enough for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.datamodules.fake_cave import fake_values, write_scene

SCENES = ["balloons", "cloth", "flowers", "hairs"]
SMALLER = {"s2cyclediff": {"steps": 2}, "bdt": {"dim": 8, "spectral_dim": 8}}


def small_data(folder: Path, patches: int) -> dict[str, Any]:
    """Write four scenes of 32 x 32 pixels and return what an overlay says of data and trainer: two to train on."""
    for name in SCENES:
        if not (folder / "cave" / f"{name}_ms").exists():
            write_scene(folder / "cave" / f"{name}_ms", name, fake_values(name, 32))
    return {
        "data": {
            "init_args": {
                "split": "all",
                "training": SCENES[:2],
                "validation": SCENES[2:],
                "patch_size": 16,
                "patches_per_epoch": patches,
                "cache": str(folder / "cache"),
            }
        },
        "trainer": {"max_epochs": 1, "enable_progress_bar": False, "enable_model_summary": False},
    }


def overlay(folder: Path, network: str | None) -> str:
    """Write a configuration that makes everything small enough for tests."""
    content = small_data(folder, patches=2)
    if network in SMALLER:
        content["model"] = {"init_args": {"network": {"init_args": SMALLER[network]}}}
    path = folder / f"small_{network}.yaml"
    path.write_text(yaml.safe_dump(content))
    return str(path)
