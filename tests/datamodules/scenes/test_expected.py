"""What is known of a complete download, and what Chikusei and Harvard say about theirs."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from datamodules import Chikusei, Harvard, SampleScenes
from datamodules.preparation import prepare
from datamodules.scenes import expected
from datamodules.scenes.expected import Expected, checksum, listing
from tests.datamodules.fake_chikusei import STEM, fake_scene, write_envi


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shrink the scenes to a few pixels."""
    monkeypatch.setattr(Harvard, "scene_size", (10, 14))
    for name, value in {"scene_size": (45, 38), "crop_corner": (1, 2), "crop_size": (40, 32), "patch_side": 8}.items():
        monkeypatch.setattr(Chikusei, name, value)


def write_harvard(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True)
    for name in names:
        values = np.random.default_rng(0).uniform(0.001, 0.02, (10, 14, 31))
        scipy.io.savemat(folder / f"{name}.mat", {"ref": values, "lbl": np.ones((10, 14))})


def harvard(root: Path) -> Harvard:
    return Harvard(str(root), cache=str(root.parent / "cache"), split="all")


@pytest.mark.usefixtures("small")
def test_harvard_misses_daylight_scenes_and_counts_the_others(tmp_path: Path) -> None:
    root = tmp_path / "data"
    write_harvard(root / "CZ_hsdb", "img1", "imga1")
    write_harvard(root / "CZ_hsdbi", "img1")
    (root / "CZ_hsdb" / "imga2.mat").write_bytes(b"MATLAB 5.0 MAT-file, cut")
    (root / "CZ_hsdb.tgz").touch()
    done = prepare(harvard(root), 1, lambda *_: None)
    assert done.made == ("hsdbi_img1", "img1", "imga1")
    assert list(done.failed) == ["imga2"]
    assert "imga2.mat of 24 bytes is truncated" in done.failed["imga2"]
    assert len(done.missing) == 47
    assert done.remarks == {"CZ_hsdbi holds 1 scenes of 27: unpack CZ_hsdbi.tgz again.": ()}
    assert done.expected.packed() == [root / "CZ_hsdb.tgz"]
    assert "CZ_hsdb.tgz from https://vision.seas.harvard.edu/hyperspec" in done.expected.where
    assert harvard(root / "CZ_hsdbi").expected().names == ()
    assert len(harvard(root / "CZ_hsdb").expected().names) == 50


@pytest.mark.usefixtures("small")
def test_chikusei_has_sixteen_patches_and_a_known_size(tmp_path: Path) -> None:
    root = tmp_path / "data"
    path = write_envi(root / f"{STEM}.bsq", fake_scene(), None)
    data = Chikusei(str(root), cache=str(tmp_path / "cache"), split="all")
    done = prepare(data, 2, lambda *_: None)
    assert len(done.made) == 16
    assert not done.missing
    assert not done.remarks
    assert len(list((data.cache.folder / "crop_maximum").iterdir())) == 1
    with path.open("ab") as file:
        file.write(b"more")
    remark = f"{path} has {45 * 38 * 256 + 4:,} bytes instead of {45 * 38 * 256:,}: download it again."
    assert prepare(data, 1, lambda *_: None).remarks == {remark: ()}


def test_the_published_size_of_the_envi_edition(tmp_path: Path) -> None:
    (tmp_path / f"{STEM}.mat").touch()
    assert Chikusei(str(tmp_path)).expected().sizes == {f"{STEM}.bsq": 1_504_561_920}


def test_a_data_set_of_which_nothing_is_known_can_be_prepared(tmp_path: Path) -> None:
    data = SampleScenes(cache=str(tmp_path))
    assert data.expected() == Expected()
    assert data.source_files("coffee_01") == ()


def test_known_sizes_archives_and_checksums(tmp_path: Path) -> None:
    for name, size in (("a.zip", 10), ("b.zip", 3)):
        (tmp_path / name).write_bytes(b"x" * size)
    known = Expected(folders=(tmp_path, tmp_path), archives=("a.zip", "c.zip"), sizes={"a.zip": 10, "b.zip": 4000})
    assert known.wrong_sizes() == [f"{tmp_path / 'b.zip'} has 3 bytes instead of 4,000: download it again."]
    assert known.packed() == [tmp_path / "a.zip"]
    assert checksum([tmp_path / "b.zip", tmp_path / "b.zip"]) == checksum([_joined(tmp_path)])
    assert not Expected().wrong_sizes()
    assert not Expected().packed()


def _joined(folder: Path) -> Path:
    (folder / "six").write_bytes(b"x" * 6)
    return folder / "six"


def test_what_is_found_is_listed_shortly(tmp_path: Path) -> None:
    assert listing(tmp_path) == "nothing"
    for name in "dbaec":
        (tmp_path / name).touch()
    assert listing(tmp_path) == "a, b, c, d, e"
    assert listing(tmp_path, 2) == "a, b and 3 more"


def test_a_checksum_is_of_all_bytes_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expected, "_BLOCK", 4)
    contents = {"a": b"0123456789", "b": b"", "c": b"xyz"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    paths = [tmp_path / name for name in contents]
    assert checksum(paths) == hashlib.sha256(b"0123456789xyz").hexdigest()
    assert checksum(paths[::-1]) != checksum(paths)
