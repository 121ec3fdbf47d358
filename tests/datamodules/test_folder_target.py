"""A folder of degraded cubes is adapted to as it is: nothing clean is asked for, and what cannot be done is said."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning import Trainer

from callbacks import ProxyGeneration, ResultsTable
from datamodules import EstimatedNoise, Folder, MappedScene, NonIIDGaussian
from datamodules.folder_target import FolderTarget
from datamodules.scenes.failures import IncompleteError
from datamodules.target import AdaptationTarget
from hyperalign.errors import InputError, MissingFileError
from lightning_modules import RestorationModule, Subspace, WhitenedRCTV
from tests.callbacks.tiny import WAVELENGTHS, MiniNetwork, source_checkpoint
from tests.datamodules.estimation.scenes import clean_scene
from tests.datamodules.fake_chikusei import write_envi

NAMES = ("amber", "birch", "coral", "delta")


def write(root: Path, *names: str, side: int = 40, sigma: float = 0.1) -> Path:
    for number, name in enumerate(names):
        clean = clean_scene(8, side, number).numpy()
        noise = sigma * np.random.default_rng(number).standard_normal(clean.shape).astype(np.float32)
        root.mkdir(parents=True, exist_ok=True)
        np.save(root / f"{name}.npy", clean + noise)
    return root


def target(root: Path, **settings: Any) -> Folder:  # noqa: ANN401
    options: dict[str, Any] = {
        "role": "target",
        "axes": "CHW",
        "wavelengths": list(WAVELENGTHS),
        "trained_wavelengths": list(WAVELENGTHS),
        "patch_size": 16,
        "patches_per_epoch": 4,
        "batch_size": 2,
        **settings,
    }
    return Folder(str(root), **options)


def test_the_files_are_the_observations_and_their_noise_is_estimated(tmp_path: Path) -> None:
    data = target(write(tmp_path / "noisy", *NAMES))
    assert isinstance(data, AdaptationTarget)
    observations = data.observations()
    assert [one.name for one in observations] == [f"{name}.npy" for name in NAMES]
    assert np.array_equal(observations[2].cube.numpy(), np.load(tmp_path / "noisy" / "coral.npy"))
    assert observations[0].wavelengths == WAVELENGTHS
    assert data.smallest_side == 40
    assert target(tmp_path / "noisy", crop=24).smallest_side == 24
    assert isinstance(data.degradation, EstimatedNoise)
    assert data.degradation.estimate is not None
    sigmas = [band.sigma for scene in data.degradation.estimate.scenes for band in scene.bands]
    assert np.median(sigmas) == pytest.approx(0.1, rel=0.05)


def test_a_folder_adapts_and_tests_without_a_clean_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    data = target(write(tmp_path / "noisy", *NAMES), unobserved=["delta"])
    module = RestorationModule(MiniNetwork(), source=source_checkpoint(tmp_path))
    table = ResultsTable(str(tmp_path))
    trainer = Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=str(tmp_path),
        callbacks=[ProxyGeneration(str(tmp_path / "store")), table],
    )
    trainer.fit(module, datamodule=data)
    assert data.training_scene("amber.npy").path.is_relative_to(tmp_path / "store")
    trainer.test(module, datamodule=data, verbose=False)
    assert data.test_set_names == ["observed", "unobserved"]
    assert table.rows == []
    clean = str(write(tmp_path / "clean", *NAMES, sigma=0))
    compared = target(tmp_path / "noisy", unobserved=["delta"], clean_root=clean)
    trainer.test(module, datamodule=compared, verbose=False)
    assert {(row.test_set, row.scene, row.model) for row in table.rows} >= {
        ("unobserved", "delta.npy", "adapted"),
        ("observed", "amber.npy", "source-only"),
    }


def test_large_scenes_come_in_crops_and_so_does_their_truth(tmp_path: Path) -> None:
    noisy, clean = write(tmp_path / "noisy", "amber", side=96), write(tmp_path / "clean", "amber", side=96, sigma=0)
    data = target(noisy, crop=32, crops_per_scene=3, clean_root=str(clean))
    observations = data.observations()
    assert [tuple(one.cube.shape) for one in observations] == [(8, 32, 32)] * 3
    (loader,) = data.test_dataloader()
    for one, batch in zip(observations, loader, strict=True):
        assert batch["name"] == [one.name]
        assert torch.equal(batch["observation"][0], one.cube)
        assert (batch["observation"] - batch["target"]).std().item() == pytest.approx(0.1, rel=0.1)


def test_unobserved_are_the_rest_of_the_observed(tmp_path: Path) -> None:
    data = target(write(tmp_path, *NAMES), observed=["a*", "birch"])
    assert [one.name for one in data.observations()] == ["amber.npy", "birch.npy"]
    assert [batch["name"] for batch in data.test_dataloader()[1]] == [["coral.npy"], ["delta.npy"]]


def test_clean_files_are_never_trained_on(tmp_path: Path) -> None:
    data = target(write(tmp_path / "noisy", "amber"), clean_root=str(write(tmp_path / "clean", "amber")))
    clean = MappedScene("amber", tmp_path / "clean" / "amber.npy", WAVELENGTHS)
    assert data.is_clean(clean.path)
    with pytest.raises(InputError, match="is clean, which adaptation must not see"):
        data.use_training_scenes([clean])


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"patch_size": 48, "crop": 64}, r"has 40 x 40 pixels, fewer than a training patch of 48 x 48"),
        ({"observed": ["amber"], "unobserved": ["a*"]}, r"amber\.npy are both observed and unobserved"),
        ({"unobserved": ["*"]}, r"No cube is observed of the 2 there are: leave some out"),
        ({"role": "restore"}, r"has observations only in the role target"),
        ({"wavelengths": [450.0, 550.0]}, r"gives? 2|2 (bands|wavelengths|centres)"),
    ],
)
def test_bad_settings_are_told_in_one_sentence(tmp_path: Path, settings: dict[str, Any], sentence: str) -> None:
    data = target(write(tmp_path, "amber", "birch"), **settings)
    with pytest.raises(InputError, match=sentence):
        data.observations()


def test_bad_cubes_are_told_in_one_sentence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "flat").mkdir()
    (tmp_path / "empty").mkdir()
    np.save(tmp_path / "flat" / "a.npy", np.ones((8, 40, 40), dtype=np.float32))
    # Bands that differ from each other alone show nothing either.
    np.save(tmp_path / "flat" / "b.npy", np.ones((8, 40, 40), dtype=np.float32) * np.linspace(0, 1, 8)[:, None, None])
    for use in (FolderTarget.observations, FolderTarget.test_dataloader):
        with pytest.raises(InputError, match=r"All observed cubes of .* are constant, black or saturated"):
            use(target(tmp_path / "flat"))
    np.save(tmp_path / "flat" / "c.npy", np.full((8, 40, 40), np.nan, dtype=np.float32))
    with pytest.raises(IncompleteError, match=r"3 cubes could not be used \(a\.npy: It is constant in every band, as"):
        target(tmp_path / "flat").observations()
    np.save(write(tmp_path / "mixed", "amber") / "other.npy", np.zeros((7, 40, 40), dtype=np.float32))
    with pytest.raises(InputError, match=r"other\.npy"):
        target(tmp_path / "mixed", strict=True).observations()
    (tmp_path / "mixed" / "torn.npy").write_bytes(b"nothing")
    assert [one.name for one in target(tmp_path / "mixed").observations()] == ["amber.npy"]
    assert "The cube other.npy is left out: " in caplog.text
    assert "The cube torn.npy is left out: " in caplog.text
    write(tmp_path / "one", "amber", sigma=0.0)
    target(tmp_path / "one").observations()
    assert "Only one cube is observed" in caplog.text
    assert "hold no noise that could be measured" in caplog.text
    with pytest.raises(InputError, match="crops of 32 pixels and patches of 48"):
        target(tmp_path / "one", crop=32, patch_size=48)
    with pytest.raises(InputError, match="only degraded cubes and nothing to train on"):
        target(tmp_path / "one").train_dataloader()
    for use in (FolderTarget.observations, FolderTarget.test_dataloader):
        with pytest.raises(MissingFileError, match=r"holds no clean cube called amber, nor any other"):
            use(target(tmp_path / "one", clean_root=str(tmp_path / "empty")))


def test_a_constant_cube_among_others_is_named_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    np.save(write(tmp_path, "amber", "birch") / "flat.npy", np.zeros((8, 40, 40), dtype=np.float32))
    data = target(tmp_path)
    assert [one.name for one in data.observations()] == ["amber.npy", "birch.npy"]
    assert list(data.failures) == ["flat.npy"]
    assert [batch["name"] for batch in target(tmp_path).test_dataloader()[0]] == [["amber.npy"], ["birch.npy"]]
    assert "The cube flat.npy is left out: " in caplog.text


def test_a_cube_too_small_for_its_noise_is_named_and_left_out(tmp_path: Path) -> None:
    data = target(write(tmp_path, "amber"))
    write(tmp_path, "birch", side=20)
    assert [one.name for one in data.observations()] == ["amber.npy"]
    assert data.failures == {
        "birch.npy": f"The cube {tmp_path / 'birch.npy'} has 20 x 20 pixels, too few to estimate its noise: give at "
        "least 32 x 32."
    }
    given = target(tmp_path, degradation=NonIIDGaussian())
    assert [one.name for one in given.observations()] == ["amber.npy", "birch.npy"]


def test_a_cube_smaller_than_a_training_patch_is_tested_and_not_trained_on(tmp_path: Path) -> None:
    root = write(tmp_path, "amber", "birch", side=56)
    write(root, "coral", "delta", side=40)
    names = [["amber.npy"], ["birch.npy"], ["coral.npy"], ["delta.npy"]]
    assert [batch["name"] for batch in target(root, patch_size=48).test_dataloader()[0]] == names
    alone = target(write(tmp_path / "alone", "amber"), patch_size=48)
    assert [batch["name"] for batch in alone.test_dataloader()[0]] == [["amber.npy"]]
    adapted = target(root, patch_size=48, unobserved=["delta*"])
    assert [one.name for one in adapted.observations()] == ["amber.npy", "birch.npy"]
    assert list(adapted.failures) == ["coral.npy"]
    # A patch must fit into what is trained on, whatever is held back; and what was left out stays so in the test.
    assert adapted.smallest_side == 56
    assert [[batch["name"] for batch in part] for part in adapted.test_dataloader()] == [names[:2], names[3:]]


def test_some_truth_is_scored_with_and_what_lacks_it_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clean = write(tmp_path / "clean", "amber", sigma=0.0)
    (loader,) = target(write(tmp_path / "noisy", "amber", "birch"), clean_root=str(clean)).test_dataloader()
    assert [(batch["name"], "target" in batch) for batch in loader] == [(["amber.npy"], True), (["birch.npy"], False)]
    assert "holds no clean cube for 1 of 2 cubes (birch.npy), which are not scored" in caplog.text


def test_wrong_clean_cubes_are_told_before_the_work(tmp_path: Path) -> None:
    noisy, clean = write(tmp_path / "noisy", "amber"), write(tmp_path / "clean", "amber")
    np.save(clean / "amber.npy", np.zeros((8, 40, 44), dtype=np.float32))
    with pytest.raises(InputError, match=r"The clean cube .* has 8 x 40 x 44 values where"):
        target(noisy, clean_root=str(clean)).observations()
    with pytest.raises(MissingFileError, match=r"There is no folder .*nowhere"):
        target(noisy, clean_root=str(tmp_path / "nowhere")).observations()
    with pytest.raises(InputError, match=r"The clean cube .*amber\.npy is the observation itself"):
        target(noisy, clean_root=str(noisy)).observations()


def test_a_network_for_any_bands_adapts_to_those_of_the_cubes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Subspace(WhitenedRCTV(rank=3), torch.nn.Conv2d(3, 3, 1), rank=3)
    torch.save(network.state_dict(), tmp_path / "source.pt")
    data = target(write(tmp_path / "noisy", *NAMES[:2]), trained_wavelengths=None)
    module = RestorationModule(network, source=str(tmp_path / "source.pt"))
    trainer = Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        callbacks=[ProxyGeneration(str(tmp_path / "store"))],
    )
    trainer.fit(module, data)
    assert data.wavelengths == WAVELENGTHS
    assert trainer.global_step == 2
    assert module.trained_on == {"any_bands": True}


def test_cubes_of_two_sensors_are_not_adapted_to_together(tmp_path: Path) -> None:
    cube = clean_scene(8, 40, 0).numpy().transpose(1, 2, 0)
    for name, shift in (("amber", 0.0), ("birch", 5.0)):
        write_envi(tmp_path / name, cube, [one + shift for one in WAVELENGTHS])
    data = target(tmp_path, trained_wavelengths=None, wavelengths=None, axes=None)
    network = Subspace(WhitenedRCTV(rank=3), torch.nn.Conv2d(3, 3, 1), rank=3)
    torch.save(network.state_dict(), tmp_path / "source.pt")
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    trainer.strategy.connect(RestorationModule(network, source=str(tmp_path / "source.pt")))
    data.trainer = trainer
    with pytest.raises(InputError, match=r"amber.* and birch.* differ in their bands: adapt to cubes of one sensor"):
        data.observations()
