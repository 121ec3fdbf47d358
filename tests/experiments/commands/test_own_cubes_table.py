"""The tables about own cubes: noise measured, a source adapted by the command, its gain estimated beside the truth."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.commands import own_cubes_table
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
