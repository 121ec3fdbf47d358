"""Harvard in its original layout, a few pixels wide."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import torch
from numpy.typing import NDArray

from datamodules import Harvard
from datamodules.splits import load_split

WriteHarvard = Callable[..., Path]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shrink the scenes to 10 x 14 pixels."""
    monkeypatch.setattr(Harvard, "scene_size", (10, 14))


@pytest.fixture
def write(tmp_path: Path) -> WriteHarvard:
    """Return a function that writes one scene as the authors do, MATLAB v5 with `ref` and `lbl`."""

    def write_scene(name: str = "img1", folder: str = "CZ_hsdb", **arrays: NDArray[Any]) -> Path:
        path = tmp_path / "data" / folder / f"{name}.mat"
        path.parent.mkdir(parents=True, exist_ok=True)
        scipy.io.savemat(path, arrays or {"ref": reference(), "lbl": np.ones((10, 14))}, do_compression=True)
        return path

    return write_scene


def reference(seed: int = 0) -> NDArray[np.float64]:
    """Height x width x bands, raw: small positive numbers."""
    return np.random.default_rng(seed).uniform(0.001, 0.02, (10, 14, 31))


def _harvard(root: Path, **options: object) -> Harvard:
    return Harvard(str(root), cache=str(root.parent / "cache"), split="all", **options)  # type: ignore[arg-type]


def test_a_scene_is_divided_by_its_own_maximum(write: WriteHarvard, tmp_path: Path) -> None:
    write()
    data = _harvard(tmp_path / "data")
    assert data.wavelengths == tuple(float(nm) for nm in range(420, 721, 10))
    cube = data.scenes(["img1"])[0].load().cube
    expected = (reference() / reference().max()).transpose(2, 0, 1)
    assert cube.shape == (31, 10, 14)
    assert np.abs(cube.numpy() - expected).max() < 1e-6
    assert float(cube.max()) == 1.0


def test_marks_of_missing_values_are_refused_unless_they_are_masked(write: WriteHarvard, tmp_path: Path) -> None:
    label = np.ones((10, 14))
    label[:, :2] = 0
    marked = reference()
    marked[:, :2] = -9999
    write(ref=marked, lbl=label)
    for rule in ("maximum", "minmax"):
        with pytest.raises(
            ValueError, match=r"img1.mat holds missing values \(-9999, which usually marks them\), 620 in"
        ):
            _harvard(tmp_path / "data", normalisation=rule).read_scene("img1")
    cube = _harvard(tmp_path / "data", masked="zero").read_scene("img1").cube
    assert float(cube[:, :, :2].abs().max()) == 0.0
    assert float(cube.max()) == 1.0


def test_the_two_folders_are_kept_apart_by_name(write: WriteHarvard, tmp_path: Path) -> None:
    root = tmp_path / "data"
    write("img1", ref=reference(1))
    write("img1", "CZ_hsdbi", ref=reference(2))
    write("imga1", "CZ_hsdbi", ref=reference(3))
    (root / "CZ_hsdb" / "._img1.mat").write_bytes(b"of a Macintosh")
    (root / "CZ_hsdb" / "calib.txt").write_text("")
    data = _harvard(root, training=["hsdbi/img1", "CZ_hsdb/img1.mat"], validation=["CZ_hsdbi/imga1"])
    assert data.scene_names() == ("hsdbi_img1", "hsdbi_imga1", "img1")
    assert (data.names("training"), data.names("validation")) == (("hsdbi_img1", "img1"), ("hsdbi_imga1",))
    one, two = (scene.load().cube for scene in data.scenes(["img1", "hsdbi_img1"]))
    assert np.abs(one.numpy() - (reference(1) / reference(1).max()).transpose(2, 0, 1)).max() < 1e-6
    assert np.abs(two.numpy() - (reference(2) / reference(2).max()).transpose(2, 0, 1)).max() < 1e-6
    assert _harvard(root / "CZ_hsdb").scene_names() == ("img1",)
    assert _harvard(root / "CZ_hsdbi").scene_names() == ("hsdbi_img1", "hsdbi_imga1")


def test_clean_target_cubes_of_both_folders_stay_behind_the_wall(write: WriteHarvard, tmp_path: Path) -> None:
    write("img1")
    write("img1", "CZ_hsdbi")
    data = _harvard(tmp_path / "data", role="target")
    for name in ("img1", "hsdbi_img1"):
        with pytest.raises(ValueError, match=f"training scene '{name}' .* is a clean target cube"):
            data.use_training_scenes(data.scenes([name]))


def test_normalisations(write: WriteHarvard, tmp_path: Path) -> None:
    raw = reference().transpose(2, 0, 1)
    write()
    expected = {"minmax": (raw - raw.min()) / (raw.max() - raw.min()), "none": raw}
    for normalisation, values in expected.items():
        cube = _harvard(tmp_path / "data", normalisation=normalisation).read_scene("img1").cube
        assert np.abs(cube.numpy() - values).max() < 1e-6
    assert float(cube.max()) < 0.03


def test_masked_pixels_are_used_as_they_are_or_set_to_zero(write: WriteHarvard, tmp_path: Path) -> None:
    raw, label = reference(), np.ones((10, 14))
    raw[2, 3] = 5.0  # something shiny that moved: the largest value of the scene
    raw[4, 4] = 0.0005
    label[2, 3] = label[4, 4] = 0
    write(ref=raw, lbl=label)
    ignored = _harvard(tmp_path / "data").read_scene("img1").cube
    assert ignored[:, 2, 3].tolist() == [1.0] * 31
    zero = _harvard(tmp_path / "data", masked="zero").scenes(["img1"])[0].load().cube
    kept = raw[label == 1]
    assert zero[:, 2, 3].tolist() == zero[:, 4, 4].tolist() == [0.0] * 31
    assert np.abs(zero.permute(1, 2, 0).numpy()[label == 1] - kept / kept.max()).max() < 1e-6
    shifted = _harvard(tmp_path / "data", masked="zero", normalisation="minmax").read_scene("img1").cube
    wanted = (kept - kept.min()) / (kept.max() - kept.min())
    assert np.abs(shifted.permute(1, 2, 0).numpy()[label == 1] - wanted).max() < 1e-6
    assert shifted[:, 2, 3].tolist() == [0.0] * 31


def test_calibration_divides_each_band(write: WriteHarvard, tmp_path: Path) -> None:
    write()
    sensitivity = np.linspace(0.05, 0.9, 31)
    (tmp_path / "data" / "CZ_hsdb" / "calib.txt").write_text(" ".join(f"{number:.4f}" for number in sensitivity))
    cube = _harvard(tmp_path / "data", calibrate=True).read_scene("img1").cube
    expected = reference() / sensitivity.round(4)
    assert np.abs(cube.permute(1, 2, 0).numpy() - expected / expected.max()).max() < 1e-6


def test_calibration_that_is_missing_or_damaged(write: WriteHarvard, tmp_path: Path) -> None:
    write()
    data = _harvard(tmp_path / "data", calibrate=True)
    with pytest.raises(FileNotFoundError, match=r"no calib\.txt in .*CZ_hsdb or .*data: copy it there, or set"):
        data.scenes(["img1"])
    for text in ("0.1 0.2", "x " * 31, "0 " * 31):
        (tmp_path / "data" / "calib.txt").write_text(text)
        with pytest.raises(ValueError, match=r"calib\.txt does not hold 31 positive numbers"):
            data.read_scene("img1")


def test_settings_have_cached_cubes_of_their_own(write: WriteHarvard, tmp_path: Path) -> None:
    write()
    (tmp_path / "data" / "calib.txt").write_text("1 " * 31)
    root = tmp_path / "data"
    prints = {
        _harvard(root, **options).fingerprint("img1")
        for options in ({}, {"normalisation": "minmax"}, {"masked": "zero"}, {"calibrate": True})
    }
    (tmp_path / "data" / "calib.txt").write_text("2. " * 31)
    prints.add(_harvard(root, calibrate=True).fingerprint("img1"))
    assert len(prints) == 5


def test_the_crop_is_central(write: WriteHarvard, tmp_path: Path) -> None:
    write()
    cube = _harvard(tmp_path / "data", crop=6).scenes(["img1"])[0].load().cube
    # Divided by the maximum of the whole scene, whatever the crop.
    expected = (reference() / reference().max())[2:8, 4:10].transpose(2, 0, 1)
    assert np.abs(cube.numpy() - expected).max() < 1e-6


def test_scenes_to_test_on_stay_whole_where_they_are_to(write: WriteHarvard, tmp_path: Path) -> None:
    write(name="img1")
    write(name="img2")
    subsets = {"training": ["img1"], "validation": ["img2"]}
    data = _harvard(tmp_path / "data", crop=6, whole_tests=True, **subsets)
    assert [data.scenes([name])[0].shape[1:] for name in ("img1", "img2")] == [(6, 6), reference().shape[:2]]
    data = _harvard(tmp_path / "data", crop=6, **subsets)
    assert data.scenes(["img2"])[0].shape[1:] == (6, 6)


def test_the_splits_are_the_defaults_of_both_roles(write: WriteHarvard, tmp_path: Path) -> None:
    for name in sum(load_split("Harvard", "hsir"), ()):
        write(name, ref=np.ones((1, 1, 31)))
    for split in ("co2if", "hsir"):
        data = Harvard(str(tmp_path / "data"), split=split)
        assert (data.names("training"), data.names("validation")) == load_split("Harvard", split)
        assert (data.names("observed"), data.names("unobserved")) == load_split("Harvard", split)
    assert Harvard(str(tmp_path / "data")).split == "co2if"


def test_an_incomplete_data_set_names_the_scenes_that_it_lacks(write: WriteHarvard, tmp_path: Path) -> None:
    write()
    with pytest.raises(ValueError, match=r"training scenes img2, imga\d, .* more are not in Harvard"):
        Harvard(str(tmp_path / "data")).names("training")
    with pytest.raises(FileNotFoundError, match="no Harvard scene 'img9' in"):
        _harvard(tmp_path / "data").read_scene("img9")


def test_wrong_settings() -> None:
    with pytest.raises(ValueError, match="Harvard split 'hsri' is unknown: choose co2if, hsir or all"):
        Harvard("x", split="hsri")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="normalisation 'max' is unknown: choose maximum, minmax or none"):
        Harvard("x", normalisation="max")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="rule 'drop' for masked pixels is unknown: choose ignore or zero"):
        Harvard("x", masked="drop")  # type: ignore[arg-type]


def test_a_wrong_root_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no folder .*absent, where the Harvard data set, CZ_hsdb/img\*\.mat"):
        _harvard(tmp_path / "absent").scene_names()
    with pytest.raises(FileNotFoundError, match=r"no img\*\.mat in CZ_hsdb, CZ_hsdbi or itself, but nothing: download"):
        _harvard(tmp_path).scene_names()


def test_a_missing_array_another_size_or_order_of_axes(write: WriteHarvard, tmp_path: Path) -> None:
    data = _harvard(tmp_path / "data", masked="zero")
    write(cube=reference(), lbl=np.ones((10, 14)))
    with pytest.raises(ValueError, match=r"img1\.mat has no array 'ref' \(numeric arrays: cube"):
        data.read_scene("img1")
    write(ref=reference())
    with pytest.raises(ValueError, match="has no array 'lbl'"):
        data.read_scene("img1")
    write(ref=reference().transpose())
    with pytest.raises(
        ValueError, match=r"axes of the array 'ref' in .* are exchanged, 31 x 14 x 10 where 10 x 14 x 31"
    ):
        data.read_scene("img1")
    write(ref=reference()[:8])
    with pytest.raises(
        ValueError, match=r"size of the array 'ref' in .* is 8 x 14 x 31 where 10 x 14 x 31 is expected"
    ):
        data.read_scene("img1")
    write(ref=reference(), lbl=np.ones((14, 10)))
    with pytest.raises(ValueError, match=r"axes of the array 'lbl' in .* are exchanged"):
        data.read_scene("img1")


def test_damaged_values(write: WriteHarvard, tmp_path: Path) -> None:
    raw = reference()
    raw[5, 6, 7] = np.nan
    write(ref=raw)
    with pytest.raises(ValueError, match=r"scene 'img1' has 1 values that are NaN .* in band 7 at row 5, column 6"):
        _harvard(tmp_path / "data").scenes(["img1"])
    write(ref=raw * 0)
    with pytest.raises(ValueError, match=r"img1\.mat cannot be normalised, as its largest value is 0"):
        _harvard(tmp_path / "data").scenes(["img1"])
    write(ref=reference(), lbl=np.zeros((10, 14)))
    with pytest.raises(ValueError, match=r"img1\.mat has no usable pixel"):
        _harvard(tmp_path / "data", masked="zero").scenes(["img1"])


def test_a_truncated_file_is_named_and_leaves_no_cube(write: WriteHarvard, tmp_path: Path) -> None:
    path = write()
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"img1\.mat of \d+ bytes is truncated"):
        _harvard(tmp_path / "data").scenes(["img1"])
    assert not list((tmp_path / "cache").rglob("*.npy"))


def test_the_cube_is_a_float32_tensor(write: WriteHarvard, tmp_path: Path) -> None:
    write()
    assert _harvard(tmp_path / "data").read_scene("img1").cube.dtype == torch.float32
