"""Pictures of a whole tiny adaptation: the stages of every round, the test scenes, errors and spectra."""

from __future__ import annotations

from pathlib import Path

from callbacks.reporting.pictures import Pictures
from tests.callbacks.tiny import stages, tiny_data, tiny_module, tiny_trainer


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.png"))


def test_every_round_and_test_set_leaves_its_pictures(tmp_path: Path) -> None:
    module, data = tiny_module(tmp_path), tiny_data(tmp_path)
    pictures = Pictures(str(tmp_path / "pictures"), scenes=1)
    trainer = tiny_trainer(tmp_path, [*stages(tmp_path / "store", rounds=2), pictures], max_epochs=2)
    trainer.fit(module, datamodule=data)
    stage_files = ["stages/round_1/amber.png", "stages/round_1/amber_spectra.png"]
    stage_files += ["stages/round_2/amber.png", "stages/round_2/amber_spectra.png"]
    assert names(tmp_path / "pictures") == stage_files
    trainer.test(module, datamodule=data, verbose=False)
    tests = ["observed/amber.png", "observed/amber_spectra.png", "unobserved/delta.png", "unobserved/delta_spectra.png"]
    assert names(tmp_path / "pictures") == sorted(stage_files + tests)


def test_without_stages_only_test_scenes_are_drawn(tmp_path: Path) -> None:
    trainer = tiny_trainer(tmp_path, [Pictures(str(tmp_path / "pictures"), scenes=2)])
    trainer.test(tiny_module(tmp_path, source=False), datamodule=tiny_data(tmp_path), verbose=False)
    assert len(names(tmp_path / "pictures")) == 2 * 2 * 2
