"""Fake CAVE scenes for the fusion networks, and networks small enough for tests."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.datamodules.fake_cave import fake_values, write_scene

SCENES = ["balloons", "cloth", "flowers", "hairs"]
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
