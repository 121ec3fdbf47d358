"""Configurations that runs saved are read again, also those of older versions, and loggers are laid over them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from experiments.cli import run

OLD = Path(__file__).with_name("saved_a92c4af.yaml")


def differences(old: Any, new: Any, path: str = "") -> list[str]:  # noqa: ANN401 - whatever YAML holds
    """Keys of the old tree whose values the new one does not have."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [found for key in old for found in differences(old[key], new.get(key, "absent"), f"{path}.{key}")]
    return [] if old == new else [f"{path}: {old} became {new}"]


def test_a_configuration_of_commit_a92c4af_is_read_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(["fit", "--config", str(OLD), "--config", "logger/wandb_offline", "--print_config"])
    assert stopped.value.code == 0
    new = yaml.safe_load(capsys.readouterr().out)
    old = yaml.safe_load(OLD.read_text())
    logger = new["trainer"].pop("logger")
    assert old["trainer"].pop("logger") is None
    assert (logger["class_path"], logger["init_args"]["offline"]) == ("lightning.pytorch.loggers.WandbLogger", True)
    assert differences(old, new) == []
