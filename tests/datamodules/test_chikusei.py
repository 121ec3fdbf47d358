"""Chikusei in both editions, a few pixels wide."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from datamodules import Chikusei
from datamodules.scenes.readers import MatCube
from datamodules.splits import load_split
from tests.datamodules.fake_chikusei import STEM, fake_scene, write_envi, write_matlab


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shrink the scene to 45 x 38 pixels, the crop to 36 x 32 at row 4, column 3, the patches to 8 x 8."""
    monkeypatch.setattr(Chikusei, "scene_size", (45, 38))
    monkeypatch.setattr(Chikusei, "crop_corner", (4, 3))
    monkeypatch.setattr(Chikusei, "crop_size", (36, 32))
    monkeypatch.setattr(Chikusei, "patch_side", 8)


def _chikusei(root: Path, **options: object) -> Chikusei:
    return Chikusei(str(root), cache=str(root.parent / "cache"), **options)  # type: ignore[arg-type]


def _matlab(tmp_path: Path, array: np.ndarray | None = None, folder: str = "Chikusei_MATLAB") -> Path:
    root = tmp_path / "data"
    write_matlab(root / folder / f"{STEM}.mat", "chikusei", fake_scene() if array is None else array, (7, 5, 6))
    return root


def test_the_published_numbers_give_sixteen_patches_inside_the_usual_crop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert (Chikusei.scene_size, Chikusei.crop_corner, Chikusei.crop_size) == ((2517, 2335), (106, 143), (2304, 2048))
    assert 4 * Chikusei.patch_side == Chikusei.crop_size[1] == Chikusei.crop_size[0] - 256


@pytest.mark.parametrize("folder", ["", "Chikusei_MATLAB", "Hyperspec_Chikusei_MATLAB/Chikusei_MATLAB"])
def test_a_patch_is_its_window_over_the_largest_value_of_the_crop(tmp_path: Path, folder: str) -> None:
    array = fake_scene()
    array[0, 0, 0] = 60000  # outside the crop: must not count
    array[39, 5, 7] = 20000  # in the rows of the crop that no patch covers: counts
    data = _chikusei(_matlab(tmp_path, array, folder))
    assert data.scene_names() == tuple(f"patch_{number:02d}" for number in range(16))
    scene = data.read_scene("patch_06")
    # Row 1, column 2 of the grid: rows 4 + 8, columns 3 + 16.
    expected = array[12:20, 19:27].transpose(2, 0, 1).astype(np.float32) / np.float32(20000)
    assert torch.equal(scene.cube, torch.from_numpy(expected))
    assert scene.metadata == {"file": f"{STEM}.mat", "window": "rows 13 to 20, columns 20 to 27", "scale": "20000.0"}


def test_the_patches_tile_the_grid_without_overlap(tmp_path: Path) -> None:
    array = fake_scene()
    data = _chikusei(_matlab(tmp_path, array), split="all", scale=1e4)
    patches = [scene.load().cube for scene in data.scenes(data.scene_names())]
    rows = [torch.cat(patches[4 * row : 4 * row + 4], dim=2) for row in range(4)]
    whole = torch.from_numpy(array[4:36, 3:35].transpose(2, 0, 1).astype(np.float32)) / 1e4
    assert torch.equal(torch.cat(rows, dim=1), whole)


def test_the_maximum_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = _matlab(tmp_path)
    first = _chikusei(root).read_scene("patch_00")
    monkeypatch.setattr(MatCube, "maximum", None)
    assert torch.equal(_chikusei(root).read_scene("patch_00").cube, first.cube)
    record = next((tmp_path / "cache").rglob("crop_maximum/*.json"))
    record.write_text("{")
    with pytest.raises(TypeError):
        _chikusei(root).read_scene("patch_00")


def test_only_the_window_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = _matlab(tmp_path)
    read: list[int] = []
    plain = h5py.Dataset.__getitem__

    def counted(self: h5py.Dataset, *arguments: object) -> object:
        values = plain(self, *arguments)
        read.append(np.asarray(values).size)
        return values

    monkeypatch.setattr(h5py.Dataset, "__getitem__", counted)
    _chikusei(root, scale=1e4).read_scene("patch_00")
    assert read == [128 * 8 * 8]


@pytest.mark.parametrize("unit", [1.0, 1000.0])
def test_the_envi_edition_gives_the_same_values_and_its_own_wavelengths(tmp_path: Path, unit: float) -> None:
    array = fake_scene()
    centres = np.linspace(362.5, 1017.25, 128).round(3)
    root = tmp_path / "envi"
    write_envi(root / "Chikusei_ENVI" / f"{STEM}.bsq", array, (centres / unit).tolist())
    envi, matlab = _chikusei(root), _chikusei(_matlab(tmp_path, array))
    assert envi.wavelengths == pytest.approx(centres, abs=1e-3)
    assert matlab.wavelengths == pytest.approx(np.linspace(363, 1018, 128), abs=1e-6)
    for name in ("patch_03", "patch_12"):
        assert torch.equal(envi.read_scene(name).cube, matlab.read_scene(name).cube)
    # A header beside the MATLAB file names its bands too, and the cached patches are made anew for it.
    before = matlab.fingerprint("patch_00")
    write_envi(tmp_path / "data" / "Chikusei_ENVI" / f"{STEM}.bsq", array, (centres / unit).tolist())
    assert matlab.read_scene("patch_00").metadata["file"] == f"{STEM}.mat"
    assert matlab.wavelengths == envi.wavelengths
    assert matlab.fingerprint("patch_00") != before


def test_an_image_without_header(tmp_path: Path) -> None:
    array = fake_scene()
    image = write_envi(tmp_path / "data" / f"{STEM}.bsq", array, None)
    assert _chikusei(tmp_path / "data").wavelengths[-1] == 1018.0
    image.with_suffix(".hdr").unlink()
    with pytest.raises(FileNotFoundError, match=rf"{STEM}\.bsq has no header {STEM}\.hdr beside it"):
        _chikusei(tmp_path / "data").read_scene("patch_00")
    _matlab(tmp_path, array)
    assert _chikusei(tmp_path / "data").read_scene("patch_00").cube.shape == (128, 8, 8)


def test_fingerprints_tell_patches_scales_and_files_apart(tmp_path: Path) -> None:
    root = _matlab(tmp_path)
    prints = [_chikusei(root).fingerprint("patch_00"), _chikusei(root).fingerprint("patch_01")]
    prints.append(_chikusei(root, scale=1e4).fingerprint("patch_00"))
    _matlab(tmp_path, fake_scene() + 1)
    prints.append(_chikusei(root).fingerprint("patch_00"))
    assert len(set(prints)) == 4


def test_the_split_is_the_default_of_both_roles(tmp_path: Path) -> None:
    data = _chikusei(_matlab(tmp_path))
    first, second = load_split("Chikusei", "co2if")
    assert (data.names("training"), data.names("validation")) == (first, second)
    assert (data.names("observed"), data.names("unobserved")) == (first, second)
    data = _chikusei(_matlab(tmp_path), split="all", validation=["patch_00"])
    assert data.names("training") == tuple(f"patch_{number:02d}" for number in range(1, 16))


def test_wrong_settings() -> None:
    with pytest.raises(ValueError, match="Chikusei split 'co2' is unknown: choose co2if or all"):
        Chikusei("x", split="co2")  # type: ignore[arg-type]
    for scale in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="divides nothing: give a positive number"):
            Chikusei("x", scale=scale)


def test_a_wrong_root_says_what_was_looked_for_and_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=rf"no folder .*absent, where the Chikusei data set, {STEM}\.mat or"):
        _chikusei(tmp_path / "absent").scene_names()
    (tmp_path / "data" / "Pavia").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=rf"Neither {STEM}\.mat nor {STEM}\.bsq is in .*holds Pavia: download"):
        _chikusei(tmp_path / "data").names("training")


def test_an_unknown_patch(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no Chikusei patch 'patch_16': name one of patch_00 to patch_15"):
        _chikusei(_matlab(tmp_path)).read_scene("patch_16")


def test_another_key_size_or_order_of_axes(tmp_path: Path) -> None:
    path = tmp_path / "data" / f"{STEM}.mat"
    data = _chikusei(tmp_path / "data")
    write_matlab(path, "cube", fake_scene())
    with pytest.raises(ValueError, match=r"has no array 'chikusei' \(numeric arrays: cube \(45, 38, 128\)\)"):
        data.read_scene("patch_00")
    write_matlab(path, "chikusei", fake_scene().transpose())
    with pytest.raises(ValueError, match=r"axes of the Chikusei cube in .* are exchanged, 128 x 38 x 45 where 45 x 38"):
        data.read_scene("patch_00")
    write_matlab(path, "chikusei", fake_scene(width=37))
    with pytest.raises(ValueError, match=r"size of the Chikusei cube in .* is 45 x 37 x 128 where 45 x 38 x 128 is"):
        data.read_scene("patch_00")
    write_matlab(path, "chikusei", fake_scene()[..., 0])
    with pytest.raises(ValueError, match=r"array 'chikusei' in .* has shape \(45, 38\) where height x width x bands"):
        data.read_scene("patch_00")


@pytest.mark.parametrize("suffix", ["mat", "bsq"])
def test_a_truncated_file_is_named_and_leaves_no_cube(tmp_path: Path, suffix: str) -> None:
    root = tmp_path / "data"
    path = write_matlab(root / f"{STEM}.mat", "chikusei", fake_scene()) if suffix == "mat" else root / f"{STEM}.bsq"
    if suffix == "bsq":
        write_envi(path, fake_scene(), None)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(ValueError, match=rf"file .*{STEM}\.{suffix} of \d+ bytes is truncated"):
        _chikusei(root).scenes(["patch_00"])
    assert not list((tmp_path / "cache").rglob("*.npy"))


def test_a_pixel_that_is_no_number_spoils_its_own_patch_only(tmp_path: Path) -> None:
    array = fake_scene()
    array[4 + 8, 3 + 2, 9] = np.nan
    data = _chikusei(_matlab(tmp_path, array))
    with pytest.raises(
        ValueError, match=r"holds missing values \(NaN or infinite\), 1 in this part, .* in band 9 at row"
    ):
        data.scenes(["patch_04"])
    assert float(data.scenes(["patch_05"])[0].load().cube.max()) <= 1.0


def test_a_scene_without_a_value(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Chikusei crop in .* holds no value above 0"):
        _chikusei(_matlab(tmp_path, fake_scene() * 0)).read_scene("patch_00")


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    root = _matlab(tmp_path)
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(OSError, match="largest value of Chikusei cannot be written to the cache folder"):
        _chikusei(root).read_scene("patch_00")
