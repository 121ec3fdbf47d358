"""Whole scenes with what the sensors deliver of them: the same numbers wherever they are asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from datamodules.degradations import BicubicDownsampling, FusionObservation, NonIIDGaussian
from datamodules.sampling.full_scenes import FullSceneDataset, ObservationDataset, observe, observed
from datamodules.scenes import MappedScene, Observation, Scene, generator_for

WAVELENGTHS = tuple(float(nm) for nm in range(400, 701, 10))


def cube(side: int = 8) -> torch.Tensor:
    return torch.rand(31, side, side, generator=torch.Generator().manual_seed(0))


def mapped(folder: Path, name: str, values: torch.Tensor) -> MappedScene:
    np.save(folder / f"{name}.npy", values.numpy())
    return MappedScene("a", folder / f"{name}.npy", WAVELENGTHS[: len(values)], "a caption")


def test_a_scene_alone_has_no_phase_and_no_second_image() -> None:
    scene = Scene("a", cube(), WAVELENGTHS, "a caption")
    sample = observed(scene, NonIIDGaussian(), generator_for(3, "x"))
    assert set(sample) == {"observation", "target", "caption", "name", "wavelengths"}
    assert torch.equal(sample["observation"], NonIIDGaussian()(scene.cube, generator_for(3, "x")))
    assert sample["target"] is scene.cube
    smaller = observed(scene, BicubicDownsampling(2), generator_for(3, "x"))
    assert smaller["phase"] == BicubicDownsampling(2).phase
    assert smaller["observation"].shape == (31, 4, 4)


def test_measured_images_are_taken_instead_of_simulated_ones() -> None:
    scene = Scene("a", cube(), WAVELENGTHS)
    images = {"observation": torch.zeros(31, 2, 2), "multispectral": torch.ones(4, 8, 8)}
    sample = observed(scene, FusionObservation(4), generator_for(0, "x"), images)
    assert sample["observation"] is images["observation"]
    assert sample["multispectral"] is images["multispectral"]


def test_every_door_gives_the_same_observation(tmp_path: Path) -> None:
    scene = mapped(tmp_path, "clean", cube())
    task = FusionObservation(4, hyperspectral_snr=20.0, multispectral_snr=20.0)
    dataset = FullSceneDataset([scene], task, seed=5)
    observation = observe(scene.load(), task, seed=5)
    (whole,), (alone,) = [dataset[0]], [ObservationDataset([observation])[0]]
    assert len(dataset) == 1
    for key in ("observation", "multispectral"):
        assert torch.equal(whole[key], alone[key])
    assert (alone["caption"], alone["name"], alone["phase"]) == ("a caption", "a", task.phase)
    assert "target" not in alone
    assert torch.equal(whole["target"], cube())
    assert not torch.equal(whole["observation"], FullSceneDataset([scene], task, seed=6)[0]["observation"])


def test_measured_images_are_read_with_their_scene(tmp_path: Path) -> None:
    noisy = mapped(tmp_path, "noisy", cube() - 0.5)
    scene = MappedScene("a", mapped(tmp_path, "clean", cube()).path, WAVELENGTHS, observation=noisy)
    sample = FullSceneDataset([scene], NonIIDGaussian(), seed=0)[0]
    assert torch.equal(sample["observation"], cube() - 0.5)
    assert "multispectral" not in sample


def test_an_observation_of_one_sensor_has_nothing_else() -> None:
    dataset = ObservationDataset([Observation("b", torch.ones(31, 2, 2), WAVELENGTHS)])
    assert len(dataset) == 1
    assert set(dataset[0]) == {"observation", "caption", "name", "wavelengths"}
