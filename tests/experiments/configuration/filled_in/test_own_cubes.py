from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules import ComplexMixture, NonIIDGaussian
from datamodules.degradations import Degradation
from experiments.configuration.filled_in.own_cubes import CHECKPOINTS, completed, target_folder
from hyperalign.errors import InputError, UsageError
from tests.datamodules.estimation.scenes import clean_scene


def cubes(root: Path, task: Degradation) -> str:
    for number in range(2):
        observation = task(clean_scene(31, 64, number), torch.Generator().manual_seed(number))
        np.save(root / f"cube{number}.npy", observation.numpy())
    return str(root)


@pytest.mark.parametrize(
    ("task", "source"),
    [(NonIIDGaussian(), "gaussian_subspace.ckpt"), (ComplexMixture(), "complex_subspace.ckpt")],
    ids=repr,
)
def test_the_packaged_source_that_fits_is_taken(tmp_path: Path, task: Degradation, source: str) -> None:
    given = ["--data.root", cubes(tmp_path, task), "--data.axes=CHW", "--data.init_args.wavelengths", "400:700:31"]
    words = completed(["adapt", *given])
    configs = ["backbones/sert_subspace", "hir_align/adapt", "data/own_cubes", "hir_align/solver_guided"]
    assert words[:9:2] == ["adapt", *configs]
    assert words[words.index("--model.init_args.source") + 1] == str(CHECKPOINTS / source)
    assert "--data.trained_wavelengths" not in words
    assert words[-len(given) :] == given
    assert completed(["test", *given])[9:] == words[9:]


def test_cubes_of_another_sensor_have_a_packaged_source_too(tmp_path: Path) -> None:
    observation = NonIIDGaussian()(clean_scene(50, 64, 0), torch.Generator().manual_seed(0))
    np.save(tmp_path / "cube.npy", observation.numpy())
    words = completed(["adapt", "--data.root", str(tmp_path), "--data.axes=CHW", "--data.wavelengths", "430:900:50"])
    assert words[words.index("--model.init_args.source") + 1].endswith("gaussian_subspace.ckpt")


@pytest.mark.parametrize(
    ("size", "extra", "patches"),
    [
        (96, [], None),
        (64, [], ("64", "2", "128", "192")),
        (50, [], ("48", "4", "256", "384")),
        (96, ["--data.crop", "56"], ("56", "3", "192", "288")),
    ],
)
def test_patches_fit_into_small_cubes_and_stay_as_many_pixels(
    tmp_path: Path, size: int, extra: list[str], patches: tuple[str, ...] | None
) -> None:
    observation = NonIIDGaussian()(clean_scene(31, size, 0), torch.Generator().manual_seed(0))
    np.save(tmp_path / "cube.npy", observation.numpy())
    given = ["--data.root", str(tmp_path), "--data.axes=CHW", "--data.wavelengths", "400:700:31", *extra]
    words = completed(["adapt", *given])
    own = words[: -len(given)]
    names = ("patch_size", "batch_size", "patches_per_epoch", "patch_pool")
    found = tuple(own[own.index(f"--data.{name}") + 1] for name in names if f"--data.{name}" in own)
    assert found == (patches or ())


def test_what_was_adapted_from_the_compact_source_is_tested_with_it(tmp_path: Path) -> None:
    given = ["--data.root", cubes(tmp_path, NonIIDGaussian()), "--data.axes=CHW", "--data.wavelengths", "400:700:31"]
    words = completed(["test", *given, "--ckpt_path", str(CHECKPOINTS / "gaussian.ckpt")])
    assert words[words.index("--model.init_args.source") + 1] == str(CHECKPOINTS / "gaussian.ckpt")
    assert words[words.index("--data.trained_wavelengths") + 1] == "400:700:31"


def test_a_source_that_is_to_slide_is_tested_with_cubes_that_keep_their_bands(tmp_path: Path) -> None:
    given = ["--data.root", cubes(tmp_path, NonIIDGaussian()), "--data.axes=CHW", "--data.wavelengths", "400:700:31"]
    sliding = ["--data.bands", "windows", "--ckpt_path", str(CHECKPOINTS / "gaussian.ckpt")]
    words = completed(["test", *given, *sliding])
    assert words[words.index("--model.init_args.source") + 1] == str(CHECKPOINTS / "gaussian.ckpt")
    assert "--data.trained_wavelengths" not in words


def test_what_was_adapted_from_no_packaged_source_needs_its_own(tmp_path: Path) -> None:
    root = cubes(tmp_path, NonIIDGaussian())
    words = ["test", "--data.root", root, "--ckpt_path", str(CHECKPOINTS / "super_resolution.ckpt")]
    with pytest.raises(UsageError, match="holds UpsampledInput, of which no packaged source is: name the one that it"):
        completed(words)
    assert "source.ckpt" in completed([*words, "--source", "source.ckpt"])


def test_single_cubes_are_warned_of_by_the_run_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = Path(cubes(tmp_path, NonIIDGaussian()))
    np.save(root / "flat.npy", np.zeros((31, 64, 64), np.float32))
    before = logging.getLogger("datamodules").level
    completed(["adapt", "--data.root", str(root), "--data.axes", "CHW", "--data.wavelengths", "400:700:31"])
    assert "flat.npy" not in caplog.text
    assert logging.getLogger("datamodules").level == before


def test_what_no_packaged_source_was_trained_for_is_said(tmp_path: Path) -> None:
    root = cubes(tmp_path, NonIIDGaussian([0.0]))
    with pytest.raises(InputError, match=r"look clean or low-resolution, for which no packaged source was trained"):
        completed(["adapt", "--data.root", root, "--data.axes", "CHW", "--data.wavelengths", "400:700:31"])


def test_an_own_source_and_prediction_need_no_estimate() -> None:
    words = completed(["adapt", "--data.root", "nowhere", "--source", "x.ckpt"])
    assert words[7:] == ["--data.root", "nowhere", "--model.init_args.source", "x.ckpt"]
    assert completed(["adapt", "--data.root", "nowhere", "--source=x.ckpt"])[-1] == "--model.init_args.source=x.ckpt"
    assert completed(["predict", "--data.root", "nowhere"])[1:5] == [
        "--config",
        "backbones/sert_compact",
        "--config",
        "data/folder",
    ]
    with pytest.raises(UsageError, match="--source takes a checkpoint"):
        completed(["adapt", "--source"])


@pytest.mark.parametrize("words", [["fit", "--data.root", "x"], ["adapt", "--config", "a", "--data.root", "x"], []])
def test_other_command_lines_stay_as_they_are(words: list[str]) -> None:
    assert completed(words) == words


@pytest.mark.parametrize(("command", "usable"), [("test", True), ("adapt", False)])
def test_a_test_asks_for_no_room_for_a_patch(tmp_path: Path, command: str, usable: bool) -> None:
    np.save(tmp_path / "a.npy", np.random.default_rng(0).uniform(0.2, 0.8, (8, 40, 40)).astype(np.float32))
    words = [command, "--data.root", str(tmp_path), "--data.wavelengths", "400:700:8", "--data.patch_size", "64"]
    if usable:
        assert target_folder(words, any_bands=True) is not None
    else:
        with pytest.raises(InputError, match="fewer than a training patch of 64 x 64"):
            target_folder(words, any_bands=True)
