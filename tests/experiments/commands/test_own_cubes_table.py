"""The tables about own cubes: noise measured, a source adapted by the command, its gain estimated beside the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from experiments.commands import own_cubes_table
from hyperalign.errors import UsageError
from tests.datamodules.estimation.scenes import clean_scene

CENTRES = tuple(400.0 + 10 * band for band in range(31))


@pytest.fixture(autouse=True)
def small_scenes(monkeypatch: pytest.MonkeyPatch) -> None:
    cubes = {name: clean_scene(31, 48, number) for number, name in enumerate(("amber", "birch"))}
    monkeypatch.setattr(own_cubes_table, "crops_of", lambda *_: (cubes, CENTRES))


def test_noise_and_gain_beside_the_truth(tmp_path: Path) -> None:
    words = ["--root", "unused", "--output", str(tmp_path), "--tasks", "gaussian"]
    assert own_cubes_table.main([*words, "--trainer.max_steps", "1", "--gain.side", "32"]) == 0
    assert len((tmp_path / "noise.md").read_text().splitlines()) == 4
    lines = (tmp_path / "gain.md").read_text().splitlines()
    assert [line.split(" | ")[1:3] for line in lines[2:6]] == [
        ["observed", "**mean**"],
        ["unobserved", "**mean**"],
        ["observed", "amber.mat"],
        ["unobserved", "birch.img"],
    ]
    assert lines[-1].endswith(" of 2.") or "of 2 scenes, true change within the interval in" in lines[-1]


def test_the_noise_alone(tmp_path: Path) -> None:
    assert own_cubes_table.main(["--root", "unused", "--output", str(tmp_path), "--noise_only"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["noise.md"]
    rows = (tmp_path / "noise.md").read_text().splitlines()[2:]
    assert [row.split(" | ")[1] for row in rows] == ["amber", "birch", "amber", "birch"]


def test_another_sensor_and_every_packaged_task(tmp_path: Path) -> None:
    np.save(tmp_path / "scene.npy", clean_scene(12, 128, 0).numpy())
    words = ["--root", str(tmp_path / "scene.npy"), "--wavelengths", "430:860:12", "--output", str(tmp_path / "out")]
    tasks = [*own_cubes_table.TASKS, *own_cubes_table.OPERATORS]
    assert own_cubes_table.main([*words, "--side", "128", "--noise_only", "--tasks", *tasks]) == 0
    rows = (tmp_path / "out" / "noise.md").read_text().splitlines()[2:]
    families = [row.split(" | ")[2] for row in rows]
    operators = ["band_missing", "inpainting", "deblurring", "clean"]
    assert families == ["gaussian", "complex", "complex", "complex", *operators]
    with pytest.raises(UsageError, match="task band_missing is no noise, and its gain is not estimated: add --noise_o"):
        own_cubes_table.main([*words, "--tasks", "band_missing"])
