"""`lightning prepare`: what it prints, makes and answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from experiments.cli import main
from tests.datamodules.fake_cave import fake_values, write_scene

SCENES = ("balloons", "beads", "cd")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three fake CAVE scenes and the config of a run on them, in a working directory of its own."""
    folder = tmp_path / "complete_ms_data"
    for name in SCENES:
        write_scene(folder / f"{name}_ms" / f"{name}_ms", name, fake_values(name, 16))
    section = {"class_path": "CAVE", "init_args": {"root": "wrong", "cache": "cache", "split": "all"}}
    rest = {"seed_everything": 3, "trainer": {"max_epochs": 2}, "model": {"class_path": "not.imported.Here"}}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump({**rest, "data": section}))
    monkeypatch.chdir(tmp_path)
    return folder


def prepare(*more: str) -> int:
    return main(["prepare", "--config", "run", "--data.root", "complete_ms_data", *more])


def test_it_says_what_was_prepared_and_what_is_missing(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert prepare("--workers", "2") == 0
    first = capsys.readouterr()
    assert "CAVE: 3 scenes prepared, 0 were already, 0 cannot be used (cache/clean/CAVE)." in first.out
    assert "29 of 32 scenes are missing: chart_and_stuffed_toy, clay, " in first.out
    assert "To complete CAVE, download complete_ms_data.zip from https://www.cs.columbia.edu/CAVE/" in first.out
    assert "scenes: 100%" in first.err
    assert len(list(Path("cache").rglob("*.npy"))) == 3
    monkeypatch.setattr(Image, "open", None)
    assert prepare() == 0
    second = capsys.readouterr()
    assert "CAVE: 0 scenes prepared, 3 were already, 0 cannot be used" in second.out
    assert "scenes:" not in second.err


def test_a_damaged_scene_stands_in_a_table(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = root / "beads_ms" / "beads_ms" / "beads_ms_04.png"
    path.write_bytes(path.read_bytes()[:60])
    Path("complete_ms_data.zip").write_bytes(b"cut")
    assert prepare("--workers=1") == 1
    out = capsys.readouterr().out
    assert " ".join(out.splitlines()[1].replace("┃", " ").split()) == "scene why it cannot be used"
    assert " ".join(out.splitlines()[3].replace("│", " ").split()).startswith("beads The picture ")
    assert "CAVE: 2 scenes prepared, 0 were already, 1 cannot be used" in out
    assert "The archive complete_ms_data.zip is there: unpack it again." in out
    assert "complete_ms_data.zip has 3 bytes instead of 405,988,465: download it again." in out
    assert len(list(Path("cache").rglob("*.npy"))) == 2


def test_the_scenes_of_a_split_are_asked_for(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare("--data.split", "first20", "--workers=1") == 1
    assert "The training scenes chart_and_stuffed_toy, clay, cloth, " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (["--data.root", "absent"], 1, "There is no folder absent, where the CAVE data set"),
        (["--data.root", "."], 0, ""),
        (["--data.root", "cave"], 1, "The folder cave holds no CAVE scene, that is no folder <scene>_ms, but a.txt, b"),
        (["--workers", "0"], 1, "No scene can be prepared by 0 processes"),
        (["--wokers", "2"], 2, "There is no key 'wokers' (on the command line): the nearest valid key is 'workers'"),
        (["--data.rot", "x"], 2, "There is no key 'data.rot' (on the command line): the nearest valid key is"),
        (["--config", "absent"], 2, "There is no config 'absent'"),
        (["--data.cache", "run.yaml"], 1, "The cube of scene 'balloons' cannot be written to the cache folder"),
    ],
)
def test_mistakes_are_one_sentence(
    root: Path, more: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("cave").mkdir()
    for name in ("a.txt", "b"):
        (Path("cave") / name).touch()
    assert prepare("--workers=1", *more) == code
    if message:
        assert capsys.readouterr().err.splitlines()[-1].startswith("error: " + message)


def test_a_data_set_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare"]) == 2
    assert "No value was given for 'data', which is required." in capsys.readouterr().err


def test_a_folder_of_own_cubes_is_read_through(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    Path("in").mkdir()
    cube = np.full((3, 4, 5), 0.5, np.float32)
    np.savez("in/whole.npz", cube=cube, wavelengths=np.array([450.0, 550.0, 650.0]))
    cube[1, 2] = -9999
    np.savez("in/lacking.npz", cube=cube, wavelengths=np.array([450.0, 550.0, 650.0]))
    words = ["prepare", "--data", "Folder", "--data.root", "in"]
    assert main(words) == 0
    rows = [" ".join(line.replace("│", " ").split()) for line in capsys.readouterr().out.splitlines()]
    assert "lacking.npz 3 x 4 x 5 450 to 650 float32, 0.5 to 0.5 5 (8.3%)" in rows
    assert "whole.npz 3 x 4 x 5 450 to 650 float32, 0.5 to 0.5 none" in rows
    assert "Folder: 2 cubes can be used, 0 cannot; nothing is converted, as cubes are read where they are." in rows
    Path("in/cut.npy").write_bytes(b"\x93NUM")
    assert main(words) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "cut.npy │ The file in/cut.npy of 4 bytes is truncated" in out
    assert "Folder: 2 cubes can be used, 1 cannot" in out
