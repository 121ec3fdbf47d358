"""The packaged settings of the paper's generator, laid over an adaptation by the command line."""

from __future__ import annotations

from inspect import signature
from typing import Any

import pytest
import yaml

from callbacks import UnCLIPGuides
from experiments.cli import run
from experiments.commands.demo import SOURCE

STACK = ("backbones/sert_compact", "data/sample_scenes", "tasks/gaussian", "hir_align/adapt")


def guides_of(capsys: pytest.CaptureFixture[str], overlay: str, *words: str) -> dict[str, Any]:
    """The arguments of the guides that a command makes."""
    configs = [word for name in (*STACK, overlay) for word in ("--config", name)]
    with pytest.raises(SystemExit):
        run(["fit", *configs, f"--model.init_args.source={SOURCE}", *words, "--print_config"])
    guides = yaml.safe_load(capsys.readouterr().out)["synthesis"]["init_args"]["guides"]
    assert guides["class_path"].endswith("UnCLIPGuides")
    arguments: dict[str, Any] = guides["init_args"]
    return arguments


def test_the_improved_config_spells_out_every_default(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = guides_of(capsys, "guides/unclip")
    defaults = {name: one.default for name, one in signature(UnCLIPGuides).parameters.items()}
    assert arguments == defaults | {"guides_at_once": 4}
    assert UnCLIPGuides(**arguments).settings() == UnCLIPGuides().settings()


def test_one_setting_turns_the_improved_generator_into_the_original(capsys: pytest.CaptureFixture[str]) -> None:
    original = guides_of(capsys, "guides/unclip_original")
    switched = guides_of(capsys, "guides/unclip", "--synthesis.init_args.guides.init_args.improved=false")
    assert original["improved"] is switched["improved"] is False
    assert UnCLIPGuides(**original).settings() == UnCLIPGuides(**switched).settings()
    assert UnCLIPGuides(**original).settings() == UnCLIPGuides.original().settings()
