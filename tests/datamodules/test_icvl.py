"""ICVL in its original layout, a few pixels wide."""

import logging
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from datamodules import ICVL
from datamodules.splits import load_split
from tests.datamodules.fake_chikusei import write_matlab

ROWS, COLUMNS = 10, 14


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shrink the upright pictures to 10 x 14 pixels."""
    monkeypatch.setattr(ICVL, "columns", COLUMNS)


def upright(seed: int = 0) -> NDArray[np.float64]:
    """Bands x rows x columns as one sees them, of 12 bits and a little more."""
    return np.random.default_rng(seed).integers(3, 4200, (31, ROWS, COLUMNS)).astype(np.float64)


def on_its_side(cube: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same as MATLAB shows the original files: 1392 rows, a quarter turn clockwise, bands last."""
    return np.rot90(cube, -1, (1, 2)).transpose(1, 2, 0)


def write(root: Path, name: str = "omer_0331-1119", array: NDArray[np.float64] | None = None) -> Path:
    return write_matlab(root / f"{name}.mat", "rad", on_its_side(upright()) if array is None else array)


def icvl(root: Path, **options: object) -> ICVL:
    return ICVL(str(root), cache=str(root.parent / "cache"), **{"split": "all", **options})  # type: ignore[arg-type]


def test_a_picture_on_its_side_is_put_upright_and_scaled(tmp_path: Path) -> None:
    path = write(tmp_path / "data" / "mat")
    with h5py.File(path) as file:
        assert file["rad"].shape == (31, ROWS, COLUMNS)  # as the real files: bands first, and a mirror image
        assert np.array_equal(file["rad"], upright()[:, ::-1])
    scene = icvl(tmp_path / "data").scenes(["omer_0331-1119.mat"])[0].load()
    expected = (upright() - upright().min()) / (upright().max() - upright().min())
    assert scene.name == "omer_0331-1119"
    assert scene.wavelengths == tuple(float(nm) for nm in range(400, 701, 10))
    assert np.abs(scene.cube.numpy() - expected).max() < 1e-6


@pytest.mark.parametrize("layout", ["upright", "bands last, upright", "bands last, on its side"])
def test_other_versions_of_the_axes_come_out_alike(tmp_path: Path, layout: str) -> None:
    matlab = upright().transpose(1, 2, 0) if layout.endswith("upright") else on_its_side(upright())
    # Software that keeps NumPy's order writes rows, columns, bands into the HDF5 file, which MATLAB shows reversed.
    write(tmp_path / "data", array=matlab.transpose() if layout.startswith("bands last") else matlab)
    cube = icvl(tmp_path / "data", normalisation="maximum").read_scene("omer_0331-1119").cube
    assert np.abs(cube.numpy() - upright() / upright().max()).max() < 1e-6


def test_the_crop_is_central_and_scaled_by_the_whole_scene(tmp_path: Path) -> None:
    write(tmp_path / "data")
    whole = icvl(tmp_path / "data").read_scene("omer_0331-1119").cube
    part = icvl(tmp_path / "data", crop=6).scenes(["omer_0331-1119"])[0].load().cube
    assert (part - whole[:, 2:8, 4:10]).abs().max() == 0


def test_splits_are_the_published_lists(shared: Path) -> None:
    lists = {path.stem: path.read_text().split() for path in (shared / "data" / "splits").glob("icvl_*.txt")}
    for split in ("sert", "t3sc"):
        training, test = load_split("ICVL", split)
        assert (list(training), list(test)) == (lists[f"icvl_{split}_train"], lists[f"icvl_{split}_test"])
    assert load_split("ICVL", "mp_hsir") == load_split("ICVL", "sert")
    assert list(load_split("ICVL", "qrnn3d_complex")[1]) == lists["icvl_qrnn3d_complex_test"]
    assert list(load_split("ICVL", "ssumamba")[1]) == lists["icvl_qrnn3d_gaussian_test"]


def test_the_leak_between_the_lists_is_what_the_docstring_says() -> None:
    names = {split: load_split("ICVL", split) for split in ("sert", "t3sc", "qrnn3d_gaussian", "qrnn3d_complex")}
    assert {split: (len(first), len(second)) for split, (first, second) in names.items()} == {
        "sert": (100, 50),
        "t3sc": (100, 50),
        "qrnn3d_gaussian": (100, 50),
        "qrnn3d_complex": (100, 51),
    }
    assert len(set(names["t3sc"][1]) & set(names["sert"][0])) == 31
    assert len(set(names["sert"][1]) & set(names["t3sc"][0])) == 24
    for split, (training, test) in names.items():
        assert not set(training) & set(test), split
    assert names["qrnn3d_gaussian"][0] == names["qrnn3d_complex"][0] == names["sert"][0]


def test_mixed_lists_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    leaked = sorted(set(load_split("ICVL", "t3sc")[1]) & set(load_split("ICVL", "sert")[0]))[:2]
    safe = next(name for name in load_split("ICVL", "t3sc")[1] if name not in load_split("ICVL", "sert")[0])
    for name in (*leaked, safe):
        write(tmp_path / "data", name)
    options = {"split": "t3sc", "trained_on": "sert", "training": [], "validation": [*leaked, safe]}
    with caplog.at_level(logging.WARNING):
        icvl(tmp_path / "data", **options).prepare_data()
    assert f"2 of the ICVL scenes to be scored ({', '.join(leaked)}) are in the training list sert" in caplog.text
    caplog.clear()
    target = {"role": "target", "observed": leaked[:1], "unobserved": [safe]}
    with caplog.at_level(logging.WARNING):
        icvl(tmp_path / "data", split="t3sc", **target).prepare_data()
        icvl(tmp_path / "data", **options | {"validation": [safe]}).prepare_data()
    assert not caplog.text
    assert icvl(tmp_path / "data", trained_on="sert", **target).leaked() == (leaked[0],)


def test_bad_input(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no folder .*, where the ICVL data set, <scene>\.mat or mat/<scene>"):
        icvl(tmp_path / "absent").scene_names()
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "mat.zip").touch()
    with pytest.raises(FileNotFoundError, match=r"holds no ICVL scene, .* but mat\.zip: download the \.mat files"):
        icvl(tmp_path / "empty").scene_names()
    data = icvl(tmp_path / "data")
    write_matlab(tmp_path / "data" / "a.mat", "cube", on_its_side(upright()))
    with pytest.raises(ValueError, match="has no array 'rad' "):
        data.read_scene("a")
    write(tmp_path / "data", "a", on_its_side(upright())[:7, :7])
    with pytest.raises(ValueError, match=r"'rad' in .* has the sizes 31 x 7 x 7 where 31 bands and a side of 14"):
        data.read_scene("a")
    write(tmp_path / "data", "a", np.ones((COLUMNS, ROWS, 31)))
    with pytest.raises(ValueError, match="cannot be normalised, as its largest value is 1 and what becomes 0 is 1"):
        data.read_scene("a")
    with pytest.raises(FileNotFoundError, match="no ICVL scene 'b' in"):
        data.read_scene("b")
    with pytest.raises(ValueError, match=r"ICVL split 'sret' is unknown: choose mp_hsir, qrnn3d_complex, .* or all"):
        icvl(tmp_path, split="sret")
    with pytest.raises(ValueError, match="ICVL split 'icvl' is unknown"):
        icvl(tmp_path, trained_on="icvl")
    with pytest.raises(ValueError, match="normalisation 'max' is unknown: choose minmax, maximum or none"):
        icvl(tmp_path, normalisation="max")
