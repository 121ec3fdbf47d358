"""What the stages of a tiny adaptation made is kept small: pictures, places in a plane, facts of the transport."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from experiments.reproduction import artifacts
from tests.callbacks.tiny import stages, tiny_data, tiny_module, tiny_trainer


def test_stages_of_a_fit_are_kept(tmp_path: Path) -> None:
    module, data = tiny_module(tmp_path), tiny_data(tmp_path)
    trainer = tiny_trainer(tmp_path, stages(tmp_path / "store", rounds=1), max_epochs=1)
    trainer.fit(module, datamodule=data)
    facts = artifacts.keep(trainer, tmp_path / "kept")
    assert facts["steps"] == trainer.global_step
    assert facts["kappa"] >= 1 - 1e-4
    assert 1 <= facts["support"] <= 16 * 49
    with np.load(tmp_path / "kept" / "stages.npz") as kept:
        assert {"0/proxy", "0/guide/0", "0/synthesised/0"} <= set(kept)
        assert kept["0/proxy"].dtype == np.uint8
        assert kept["0/proxy"].shape[2] == 3
    plane = json.loads((tmp_path / "kept" / "plane.json").read_text())
    assert set(plane["spectra"]) == {"degraded", "proxy", "synthesised", "clean"}
    assert all(len(points) == artifacts.PIXELS for points in plane["spectra"].values())
    assert not (tmp_path / "kept" / "noise.json").exists()
    assert artifacts.degradation_of(trainer)["kind"] == type(data.degradation).__name__


def test_a_run_without_stages_leaves_nothing(tmp_path: Path) -> None:
    trainer = tiny_trainer(tmp_path, [])
    trainer.test(tiny_module(tmp_path, source=False), datamodule=tiny_data(tmp_path), verbose=False)
    assert artifacts.keep(trainer, tmp_path / "kept") == {"steps": 0}
    assert not (tmp_path / "kept").exists()
