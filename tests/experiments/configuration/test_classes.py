"""Classes by their names, and the names that were meant."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from lightning.pytorch import LightningDataModule, LightningModule
from torch import nn

from datamodules import CAVE, SceneDataModule
from datamodules.degradations import Degradation
from experiments.configuration.classes import (
    classes_in,
    find_class,
    is_of_this_house,
    leaves,
    possible_names,
    takes,
)
from tests.experiments import fakes


def test_a_class_is_found_by_its_path_or_by_its_name_among_its_bases() -> None:
    assert find_class("tests.experiments.fakes.TinyNetwork", ()) is fakes.TinyNetwork
    assert find_class("TinyNetwork", [nn.Module]) is fakes.TinyNetwork
    assert find_class("TinyNetwork", [LightningDataModule]) is None
    assert find_class("TinyNetwork", ()) is None
    assert find_class("tests.experiments.fakes.Tiny", [nn.Module]) is None
    assert find_class("nowhere.at.all", ()) is None
    # Of another kind it is found all the same, so that the refusal can be about its kind.
    assert find_class("tests.experiments.fakes.InputError", [nn.Module]) is not None
    assert find_class("SceneDataModule", [SceneDataModule]) is None


def test_a_module_of_numbers_holds_no_class() -> None:
    assert find_class("experiments.configuration.classes.HOUSE", ()) is None


@pytest.mark.parametrize(
    ("name", "key", "taken"),
    [
        ("tests.experiments.fakes.TinyNetwork", "width", True),
        ("tests.experiments.fakes.TinyNetwork", "depth", False),
        ("CAVE", "root", True),
        ("CAVE", "crop", True),
        ("CAVE", "tiles", False),
        ("NoSuchClass", "anything", True),
        ("nowhere.at.all", "anything", True),
    ],
)
def test_which_arguments_a_class_takes(name: str, key: str, taken: bool) -> None:
    assert takes(name, key) is taken


def test_names_that_were_meant_are_written_the_way_the_wrong_one_is() -> None:
    assert "CAVE" in possible_names("CAVV", [SceneDataModule])
    assert "SceneDataModule" not in possible_names("CAVV", [SceneDataModule])
    within = possible_names("tests.experiments.fakes.TinyNetwrk", [nn.Module])
    assert "tests.experiments.fakes.TinyNetwork" in within
    assert "tests.experiments.fakes.TinyRestorer" in within
    elsewhere = possible_names("datamodule.CAVE", [SceneDataModule])
    assert "datamodules.CAVE" in elsewhere


def test_leaves_of_a_type() -> None:
    assert leaves(int | None) == [int, type(None)]
    assert leaves(list[CAVE] | dict[str, int]) == [CAVE, str, int]
    assert leaves(Callable[[int], nn.Module | None]) == [nn.Module, type(None)]
    assert classes_in(list[CAVE] | str | None) == [CAVE]


def test_what_is_of_this_house() -> None:
    assert is_of_this_house(CAVE)
    assert is_of_this_house(fakes.TinyNetwork)
    assert not is_of_this_house(nn.Linear)
    assert not is_of_this_house(LightningModule)
    assert not is_of_this_house(Degradation)
