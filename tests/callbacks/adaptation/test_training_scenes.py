"""Where scenes beside the proxies are made in a fit, and what is trained on then."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lightning.pytorch import LightningModule, Trainer

from callbacks import ProxyGeneration
from callbacks.adaptation import training_scenes
from callbacks.adaptation.training_scenes import AfterProxies
from datamodules import MappedScene
from tests.callbacks.tiny import WAVELENGTHS, tiny_module, tiny_trainer

SCENES = {name: MappedScene(name, Path(f"{name}.npy"), WAVELENGTHS) for name in ("proxy", "made")}


class Making(AfterProxies):
    """Makes one scene, or none."""

    def __init__(self, training: str = "mixed", makes: bool = True, ratio: int = 1) -> None:
        super().__init__(ratio, training, ("mixed", "alone"), "scene")
        self.makes, self.times = makes, 0

    def make_scenes(self, trainer: Trainer, pl_module: LightningModule, stage: ProxyGeneration) -> None:
        self.times += 1

    @property
    def made_scenes(self) -> list[MappedScene]:
        return [SCENES["made"]] if self.makes else []


@pytest.mark.parametrize(
    ("training", "makes", "expected"),
    [("mixed", True, [["proxy", "made"]]), ("alone", True, [["made"]]), ("mixed", False, [])],
)
def test_each_new_list_of_proxies_is_followed_by_one_making(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, training: str, makes: bool, expected: list[list[str]]
) -> None:
    used: list[list[str]] = []
    data = SimpleNamespace(use_training_scenes=lambda scenes: used.append([scene.name for scene in scenes]))
    monkeypatch.setattr(training_scenes, "target_data", lambda _: data)
    stage, after, module = ProxyGeneration(str(tmp_path)), Making(training, makes), tiny_module(tmp_path)
    trainer = tiny_trainer(tmp_path, [stage, after])
    after.setup(trainer, module, "fit")
    stage.proxies = [SCENES["proxy"]]
    after.on_fit_start(trainer, module)
    after.on_train_epoch_start(trainer, module)
    assert (after.times, used) == (1, expected)
    stage.proxies = [SCENES["proxy"]]
    after.on_train_epoch_start(trainer, module)
    assert (after.times, used) == (2, expected * 2)


@pytest.mark.parametrize("first", [True, False])
def test_it_stands_behind_the_proxies(tmp_path: Path, first: bool) -> None:
    callbacks: list[Any] = [Making(), ProxyGeneration(str(tmp_path))] if first else [Making()]
    trainer = tiny_trainer(tmp_path, callbacks)
    with pytest.raises(ValueError, match=r"^Making needs ProxyGeneration before it: list callbacks\.ProxyGeneration"):
        callbacks[0].setup(trainer, tiny_module(tmp_path), "fit")
    callbacks[0].setup(trainer, tiny_module(tmp_path), "test")


def test_impossible_settings_are_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"^Making got ratio=0: give at least 1 scene per proxy\.$"):
        Making(ratio=0)
    with pytest.raises(ValueError, match=r"^Making got training='both': choose one of mixed, alone\.$"):
        Making("both")
