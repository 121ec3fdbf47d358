"""HSIDwrD in its original layout, a few pixels wide: real pairs, whose noise nobody simulates."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from numpy.typing import NDArray

from callbacks.reporting.results_table import task_line
from datamodules import BicubicDownsampling, EstimatedNoise, HSIDwrD, MappedScene
from datamodules.splits import load_split

ROWS, COLUMNS = 16, 12
KEPT = [channel for channel in range(34) if channel not in (0, 11, 22)]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shrink the files to 34 pages of 16 x 12 pixels."""
    monkeypatch.setattr(HSIDwrD, "scene_size", (ROWS, COLUMNS))


def pages(name: str, folder: str) -> NDArray[np.uint16]:
    """34 pages of 12 bits; some of the noisy ones exceed 4096 when multiplied by 50."""
    rng = np.random.default_rng(int(name) + (1000 if folder == "gt" else 0))
    return rng.integers(0, 4096 if folder == "gt" else 100, (34, ROWS, COLUMNS)).astype(np.uint16)


def expected(name: str, folder: str) -> NDArray[np.float64]:
    values = pages(name, folder).astype(np.float64)[KEPT] / 4096 * (1 if folder == "gt" else 50)
    return np.clip(values, 0, 1)


def write(root: Path, *names: str) -> Path:
    for name in names:
        for folder in ("gt", "input50"):
            (root / folder).mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(root / folder / f"{name}.tif", pages(name, folder), photometric="minisblack")
    return root


def hsidwrd(root: Path, **options: object) -> HSIDwrD:
    settings = {
        "split": "all",
        "cache": str(root.parent / "cache"),
        "patch_size": 6,
        "patches_per_epoch": 12,
        **options,
    }
    return HSIDwrD(str(root), **settings)  # type: ignore[arg-type]


def test_a_pair_is_scaled_as_its_authors_do(tmp_path: Path) -> None:
    write(tmp_path / "data" / "real_dataset", "1", "2", "10")
    data = hsidwrd(tmp_path / "data", training=["1", "10"], validation=["2.tif"])
    assert data.scene_names() == ("1", "2", "10")
    assert len(data.wavelengths) == 31
    assert (data.wavelengths[0], data.wavelengths[-1]) == (409.0909, 700.0)
    (sample,) = data.test_dataloader()[0]
    assert sample["target"].shape == (1, 31, ROWS, COLUMNS)
    assert np.abs(sample["target"][0].numpy() - expected("2", "gt")).max() < 1e-6
    assert np.abs(sample["observation"][0].numpy() - expected("2", "input50")).max() < 1e-6
    assert float(sample["observation"].max()) == 1.0
    (validated,) = data.val_dataloader()[0]
    assert torch.equal(validated["observation"], sample["observation"])


def test_training_patches_are_windows_of_both_files_turned_alike(tmp_path: Path) -> None:
    data = hsidwrd(write(tmp_path / "data", "1", "2"), batch_size=4)
    turned = 0
    for batch in data.train_dataloader():
        for name, clean, noisy in zip(batch["name"], batch["target"], batch["observation"], strict=True):
            found = []
            for row in range(ROWS - 5):
                for column in range(COLUMNS - 5):
                    part = (slice(None), slice(row, row + 6), slice(column, column + 6))
                    for mirrored in (False, True):
                        for quarter in range(4):
                            pair = [
                                np.rot90(cube[part][..., ::-1] if mirrored else cube[part], quarter, (1, 2))
                                for cube in (expected(name, "gt"), expected(name, "input50"))
                            ]
                            if np.abs(pair[0][0] - clean[0].numpy()).max() < 1e-6:
                                found.append((pair, mirrored or quarter))
            ((pair, moved),) = found
            turned += bool(moved)
            assert np.abs(pair[0] - clean.numpy()).max() < 1e-6
            assert np.abs(pair[1] - noisy.numpy()).max() < 1e-6
    assert turned > 3


def test_adaptation_sees_the_noisy_files_and_opens_no_clean_one(tmp_path: Path) -> None:
    root = write(tmp_path / "data", "1", "2")
    shutil.rmtree(root / "gt")
    data = hsidwrd(root, role="target", observed=["1"], unobserved=["2"], crop=8)
    (observation,) = data.observations()
    assert observation.name == "1"
    assert observation.multispectral is None
    assert np.abs(observation.cube.numpy() - expected("1", "input50")[:, 4:12, 2:10]).max() < 1e-6
    (batch,) = data.predict_dataloader()
    assert "target" not in batch
    assert torch.equal(batch["observation"][0], observation.cube)
    assert not (tmp_path / "cache" / "clean").exists()
    data.prepare_data()
    assert not (tmp_path / "cache" / "clean").exists()
    observed, unobserved = data.test_dataloader()
    assert ["target" in batch for loader in (observed, unobserved) for batch in loader] == [False, False]
    assert data.clean_scenes() == []


def test_noise_is_estimated_from_the_noisy_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "ROWS", 40)
    monkeypatch.setattr(sys.modules[__name__], "COLUMNS", 36)
    monkeypatch.setattr(HSIDwrD, "scene_size", (40, 36))
    task = EstimatedNoise()
    data = hsidwrd(write(tmp_path / "data", "1"), role="target", observed=["1"], degradation=task)
    (observation,) = data.observations()
    assert task.estimate is not None
    # Uniform numbers on [0, 100) are white: times 50 / 4096, their standard deviation is known.
    sigmas = [band.sigma for band in task.estimate.scenes[0].bands]
    assert np.median(sigmas) == pytest.approx(observation.cube.std().item(), rel=0.15)


def test_the_wall_stands_between_training_and_the_clean_files(tmp_path: Path) -> None:
    root = write(tmp_path / "data", "1", "2")
    data = hsidwrd(root, role="target", observed=["1"], unobserved=["2"])
    data.prepare_data()
    with pytest.raises(ValueError, match="HSIDwrD in the role target has no training scenes"):
        data.train_dataloader()
    for name in ("1", "2"):
        (scene,) = data.scenes([name])
        with pytest.raises(ValueError, match=f"training scene '{name}' at .* is a clean target cube"):
            data.use_training_scenes([scene])
        # Neither hidden behind a proxy's path.
        with pytest.raises(ValueError, match=f"training scene 'proxy' at .*clean.HSIDwrD.{name}.* is a clean target"):
            data.use_training_scenes(
                [MappedScene("proxy", tmp_path / "proxy.npy", data.wavelengths, observation=scene)]
            )
    np.save(tmp_path / "proxy.npy", np.full((31, 8, 8), 0.5, np.float32))
    data.use_training_scenes([MappedScene("1", tmp_path / "proxy.npy", data.wavelengths)])
    shutil.rmtree(root)
    shutil.rmtree(tmp_path / "cache")
    batch = next(iter(data.train_dataloader()))
    # A proxy is degraded by the task, as it has no measured observation.
    assert batch["target"].unique().tolist() == [0.5]
    assert float((batch["observation"] - 0.5).std()) > 0.01


def test_a_table_says_that_the_noise_is_measured(tmp_path: Path) -> None:
    class OfTrainer:
        datamodule = hsidwrd(tmp_path)

    line = task_line(OfTrainer())  # type: ignore[arg-type]
    assert line.startswith(
        "HSIDwrD split all, measured observations (training scenes without one: class NonIIDGaussian"
    )


def test_splits(shared: Path) -> None:
    for split in ("sert", "hsir"):
        training, test = load_split("HSIDwrD", split)
        folder = shared / "data" / "splits"
        assert list(test) == (folder / f"hsidwrd_{split}_test.txt").read_text().split()
        assert sorted(map(int, training + test)) == list(range(1, 60))
    assert list(load_split("HSIDwrD", "hsir")[0]) == (folder / "hsidwrd_hsir_train.txt").read_text().split()


def test_bad_input(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no folder .*absent, where the HSIDwrD data set"):
        hsidwrd(tmp_path / "absent").scene_names()
    with pytest.raises(
        FileNotFoundError, match=r"no HSIDwrD scene, that is no input50/N.tif beside gt/N.tif, but nothing"
    ):
        hsidwrd(tmp_path).scene_names()
    with pytest.raises(ValueError, match=r"channels \[0, 34\] cannot be removed of 34: give numbers from 0 to 33"):
        hsidwrd(tmp_path, removed_channels=[0, 34])
    root = write(tmp_path / "data", "1")
    with pytest.raises(ValueError, match=r"observations of HSIDwrD are measured .* BicubicDownsampling has the scale"):
        hsidwrd(root, crop=8, degradation=BicubicDownsampling()).scenes(["1"])
    tifffile.imwrite(root / "input50" / "1.tif", pages("1", "gt")[:1], photometric="minisblack")
    with pytest.raises(ValueError, match=r"TIFF .*input50.1\.tif .* is 1 x 16 x 12 where 34 x 16 x 12 is"):
        hsidwrd(root).scenes(["1"])
    tifffile.imwrite(root / "gt" / "1.tif", pages("1", "gt"), photometric="minisblack")
    with (root / "gt" / "1.tif").open("r+b") as file:
        file.truncate(3000)
    with pytest.raises(ValueError, match=r"gt.1\.tif of 3000 bytes is truncated"):
        hsidwrd(root).read_scene("1")
