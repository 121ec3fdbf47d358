"""Which files of a folder are cubes, and what is said of the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io
from PIL import Image

from datamodules.scenes.readers import find_cubes, open_cube, survey
from tests.datamodules.scenes.make_cubes import cube_values, write_cube
from tests.datamodules.scenes.readers.images import image, names


def test_a_header_is_of_one_image_and_not_of_what_lies_beside_it(tmp_path: Path) -> None:
    image(tmp_path / "a.dat", "a.dat.hdr")
    image(tmp_path / "b.bsq")
    (tmp_path / "b.bsq").rename(tmp_path / "b")
    image(tmp_path / "c.rfl")
    for name in ("a.dat.json", "b.json", "b.log", "c.png", "c.txt", "b.aux.xml", "a.dat.ovr"):
        (tmp_path / name).write_bytes(bytes(5000))
    assert names(tmp_path) == ["a.dat", "b", "c.rfl"]
    assert "7 no cubes (a.dat.json, a.dat.ovr, b.aux.xml, b.json and 3 more)" in survey(tmp_path).told()


def test_companions_are_left_out_by_name_and_told(tmp_path: Path) -> None:
    image(tmp_path / "ang2018_rfl.bsq")
    for name in ("ang2018_glt", "ang2018_loc", "ang2018_obs_ort", "ang2018_mask"):
        image(tmp_path / f"{name}.bsq", wavelengths=False)
    for name in ("scene_mask", "scene_rgb", "scene_gt", "ENMAP-QL_VNIR", "scene_obs"):
        np.save(tmp_path / f"{name}.npy", np.zeros((5, 30, 30)))
    scipy.io.savemat(tmp_path / "Pavia_gt.mat", {"gt": np.zeros((9, 9))})
    (tmp_path / ".DS_Store").write_bytes(b"\0")
    found = survey(tmp_path)
    assert [path.name for path in found.cubes] == ["ang2018_rfl.bsq", "scene_obs.npy"]
    told = found.told()
    for part in ("1 hidden (.DS_Store)", "3 geometries (ang2018_glt.bsq", "2 masks (", "2 class maps (Pavia_gt.mat"):
        assert part in told
    assert "\n" not in told


@pytest.mark.parametrize("kind", ["ENVI Spectral Library", "ENVI Classification"])
def test_libraries_and_class_maps_are_no_images(tmp_path: Path, kind: str) -> None:
    path = image(tmp_path / "a.dat")
    header = path.with_suffix(".hdr")
    header.write_text(header.read_text().replace("ENVI Standard", kind))
    assert names(tmp_path) == []
    with pytest.raises(ValueError, match=f"describes a {kind[5:].lower()} and no image: leave it out"):
        open_cube(path)


def test_patterns(tmp_path: Path) -> None:
    for name in ("day1/a_mask.npy", "day1/b.npy", "day2/b.npy", "day2/c.npy"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        np.save(tmp_path / name, np.zeros((5, 30, 30)))
    assert names(tmp_path, recursive=True) == ["day1/b.npy", "day2/b.npy", "day2/c.npy"]
    assert names(tmp_path, recursive=True, exclude=["day2/*"]) == ["day1/b.npy"]
    assert names(tmp_path, recursive=True, include=["*_mask.npy", "c*"]) == ["day1/a_mask.npy", "day2/c.npy"]
    told = survey(tmp_path, recursive=True, include=["c.npy"], exclude=["day2/b*"]).told()
    assert told == "2 not asked for (a_mask.npy, b.npy); 1 excluded (b.npy)"


def test_a_name_that_holds_what_a_pattern_means_is_asked_for_by_itself(tmp_path: Path) -> None:
    for name in ("a[0].npy", "b.npy"):
        np.save(tmp_path / name, np.zeros((5, 30, 30)))
    assert names(tmp_path, include=["a[0].npy"]) == ["a[0].npy"]
    assert names(tmp_path, exclude=["a[0].npy"]) == ["b.npy"]


def test_linked_folders_are_followed_at_any_depth_and_circles_end(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    for folder in (root / "day0" / "noon", elsewhere / "morning"):
        folder.mkdir(parents=True)
        np.save(folder / "a.npy", np.zeros((5, 30, 30)))
    (root / "day1").symlink_to(elsewhere, target_is_directory=True)
    (root / "day0" / "noon" / "up").symlink_to(root, target_is_directory=True)
    (root / "alias").symlink_to(root / "day0", target_is_directory=True)
    assert names(root, recursive=True) == ["day0/noon/a.npy", "day1/morning/a.npy"]


def test_a_broken_link_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((5, 30, 30)))
    (tmp_path / "gone.npy").symlink_to(tmp_path / "nowhere.npy")
    found = survey(tmp_path)
    assert [path.name for path in found.cubes] == ["a.npy"]
    assert [path.name for path in found.unreadable] == ["gone.npy"]
    assert "is a link to" in found.unreadable[tmp_path / "gone.npy"]


def test_previews_beside_cubes_make_no_stack_of_pictures(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((5, 30, 30)))
    for name in ("a_1", "a_2", "b_7"):
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / f"{name}.png")
    assert names(tmp_path) == ["a.npy"]
    (tmp_path / "a.npy").unlink()
    assert survey(tmp_path).cubes == [tmp_path]
    (tmp_path / "a_2.png").unlink()
    assert survey(tmp_path).cubes == []


def test_the_cubes_of_a_folder(tmp_path: Path) -> None:
    for kind in ("bsq", "mat5", "npy", "png"):
        write_cube(tmp_path, kind, cube_values())
    for name in ("notes.txt", ".hidden.npy", "alone.raw"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "empty").mkdir()
    assert [path.name for path in find_cubes(tmp_path)] == ["cube.bsq", "cube.mat", "cube.npy", "stack"]
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*absent"):
        find_cubes(tmp_path / "absent")
