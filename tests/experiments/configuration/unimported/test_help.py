"""What `--help` says without running anything names every option that the parser takes."""

from __future__ import annotations

import inspect
import re

import pytest

import callbacks
import datamodules
import lightning_modules
from datamodules import CAVE
from experiments.configuration.names import CALLBACKS
from experiments.configuration.trainer import AdaptingTrainer
from experiments.configuration.unimported.help import class_help, command_help, data_help
from experiments.configuration.unimported.modules import UncertainError


def options(text: str) -> set[str]:
    return set(re.findall(r"^  (?:-c, )?--([\w.]+)", text, flags=re.MULTILINE))


@pytest.mark.parametrize("name", ["fit", "validate", "test", "predict", "adapt"])
def test_a_command_lists_the_trainers_arguments_and_every_class(name: str) -> None:
    text = command_help(name)
    trainer = set(inspect.signature(AdaptingTrainer.__init__).parameters) - {"self"}
    assert {option.removeprefix("trainer.") for option in options(text) if option.startswith("trainer.")} == trainer
    assert text.startswith(f"usage: hyperalign {name} [--config NAME ...]")
    for kind in ("RestorationModule", "FusionModule", "CAVE", "Folder", "ProxyGeneration", "ResultsTable"):
        assert re.search(rf"^  {kind}\b", text, flags=re.MULTILINE), kind
    assert all(f"--{section} CLASS, --{section}.KEY VALUE:" in text for section in (*CALLBACKS, "model", "data"))
    assert ("--output FOLDER" in text) == (name in ("predict", "adapt"))
    assert max(len(line) for line in text.splitlines()) <= 120


def test_a_class_lists_its_arguments_with_type_default_and_description() -> None:
    text = class_help("data", "CAVE")
    taken = set(inspect.signature(CAVE.__init__).parameters) - {"self", "options"}
    assert taken <= {option.removeprefix("data.") for option in options(text)}
    assert "patch_size" in text  # of the base class
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("  --data.split"))
    entry = " ".join(" ".join(lines[start : start + 4]).split())
    assert "default: hsir" in entry
    assert "`first20`" in entry
    assert "NonIIDGaussian" in text.partition("classes of this house for")[2]


@pytest.mark.parametrize(
    ("section", "module", "name"),
    [
        ("model", lightning_modules, "RestorationModule"),
        ("proxy", callbacks, "ProxyGeneration"),
        ("data", datamodules, "Folder"),
    ],
)
def test_every_packages_classes_have_help(section: str, module: object, name: str) -> None:
    text = class_help(section, name)
    first = " ".join((getattr(module, name).__doc__ or "").partition("\n\n")[0].split())
    assert text.startswith(f"{name}: {first}")


def test_a_class_of_another_kind_is_left_to_the_parser() -> None:
    for section, name in (("model", "CAVE"), ("data", "ProxyGeneration"), ("data", "NoSuchClass")):
        with pytest.raises(UncertainError):
            class_help(section, name)


@pytest.mark.parametrize(("name", "own"), [("prepare", "verify"), ("caption", "output")])
def test_commands_of_a_data_set_list_their_own_options_and_data_sets(name: str, own: str) -> None:
    text = data_help(name)
    assert own in options(text)
    assert re.search(r"^  CAVE\b", text, flags=re.MULTILINE)
    assert "COCO2017" not in re.findall(r"^  (\w+)", text, flags=re.MULTILINE)  # photographs are no scenes
