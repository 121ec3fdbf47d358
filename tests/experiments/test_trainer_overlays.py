"""The overlays of the Trainer: where a run is computed."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from experiments.cli import run

EXPECTED: dict[str, dict[str, Any]] = {
    "cpu": {"accelerator": "cpu", "devices": 1, "precision": "32-true"},
    "gpu": {"accelerator": "gpu", "devices": 1, "precision": "bf16-mixed"},
    "ddp": {"accelerator": "auto", "devices": "auto", "strategy": "ddp"},
    "slurm": {"accelerator": "gpu", "devices": "auto", "strategy": "ddp", "precision": "bf16-mixed", "num_nodes": 2},
}


@pytest.mark.parametrize("name", EXPECTED)
def test_an_overlay_of_the_trainer_lies_over_anything(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    configs = ["backbones/sert_compact", f"trainer/{name}", "data/cave", "tasks/gaussian", "hir_align/adapt"]
    words = [word for one in configs for word in ("--config", one)]
    nodes = ["--trainer.num_nodes", "2"] if name == "slurm" else []
    with pytest.raises(SystemExit) as stopped:
        run(["fit", *words, *nodes, "--print_config"])
    assert stopped.value.code == 0
    trainer = yaml.safe_load(capsys.readouterr().out)["trainer"]
    assert {key: trainer[key] for key in EXPECTED[name]} == EXPECTED[name]
    assert trainer["max_epochs"] == 4  # the recipe's
