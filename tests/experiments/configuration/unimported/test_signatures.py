"""What the sources tell of a class is what the parser finds when it imports it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonargparse import ArgumentParser
from lightning.pytorch import LightningDataModule

import callbacks
import datamodules
import lightning_modules
from experiments.configuration.unimported.modules import UncertainError, find
from experiments.configuration.unimported.signatures import class_of, described, is_kind, parameters, subclasses
from tests.experiments import fakes

PACKAGES = (lightning_modules, datamodules, callbacks)
LEFT_TO_THE_PARSER = {
    "datamodules.CombinedScenes",
    "datamodules.FusionPair",
    "datamodules.ParisEO1",
    "datamodules.Scene",
    "lightning_modules.TrainingFree",
    "lightning_modules.TrainingFreeFusion",
}
"""Classes whose constructors hand their options on in more ways than one, so that the sources are no certain answer."""

OTHERS = ("torch.nn.L1Loss", "torch.nn.Linear", "torch.optim.Adam", "torch.optim.SGD",
          "lightning.pytorch.callbacks.ModelCheckpoint", "lightning.pytorch.loggers.CSVLogger")  # fmt: skip


def classes() -> Iterator[tuple[str, type]]:
    for package in PACKAGES:
        for name in package.__all__:
            found = getattr(package, name)
            if inspect.isclass(found) and not issubclass(found, Exception | dict):
                yield f"{package.__name__}.{name}", found


def known(found: type) -> list[str]:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(found, fail_untyped=False)
    names = [action.dest for action in parser._actions if not action.dest.endswith("help")]
    return list(dict.fromkeys(name.partition(".")[0] for name in names))


@pytest.mark.parametrize(("name", "found"), list(classes()), ids=lambda value: value if isinstance(value, str) else "")
def test_every_class_of_this_house_takes_what_its_source_says(name: str, found: type) -> None:
    try:
        read = [one.name for one in parameters(class_of(find(name), name))]
    except UncertainError:
        assert inspect.isabstract(found) or name in LEFT_TO_THE_PARSER
        return
    assert sorted(read) == sorted(known(found))


@pytest.mark.parametrize("name", OTHERS)
def test_classes_of_torch_and_lightning_as_well(name: str) -> None:
    module, _, last = name.rpartition(".")
    found = getattr(__import__(module, fromlist=[last]), last)
    read = [one.name for one in parameters(class_of(find(name), name))]
    assert set(known(found)) <= set(read)
    assert set(read) - set(known(found)) <= {"params"}  # untyped, and given by the code


def test_what_cannot_be_read_is_uncertain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "odd_module.py").write_text(
        "def make(kind): return kind\n"
        "@make\nclass Changed:\n    def __init__(self, a: int): ...\n"
        "class Open:\n    def __init__(self, **options): self.options = options\n"
        "class Below(make(object)):\n    def __init__(self, a: int): ...\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("Changed", "Open", "Below"):
        with pytest.raises(UncertainError):
            parameters(class_of(find(f"odd_module.{name}"), name))
    with pytest.raises(UncertainError):
        class_of(find("odd_module.Missing"), "Missing")


def test_the_classes_on_offer_are_those_that_can_be_built() -> None:
    names = [name for name, _ in subclasses("datamodules", "lightning.pytorch.core.datamodule.LightningDataModule")]
    real = [
        name
        for name in datamodules.__all__
        if inspect.isclass(one := getattr(datamodules, name))
        and issubclass(one, LightningDataModule)
        and not inspect.isabstract(one)
    ]
    assert names == sorted(real, key=str.lower)


def test_kinds_are_told_apart() -> None:
    network = find(f"{fakes.__name__}.TinyNetwork")
    assert is_kind(class_of(network, ""), ["torch.nn.modules.module.Module"])
    assert not is_kind(class_of(network, ""), ["lightning.pytorch.core.module.LightningModule"])


def test_descriptions_are_read_from_docstrings() -> None:
    text = "Do.\n\nArgs:\n    a: first\n        line.\n    b (int): second.\n\nReturns:\n    c: none.\n"
    assert described(text) == {"a": "first line.", "b": "second."}
