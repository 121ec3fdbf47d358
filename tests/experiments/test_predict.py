"""`hyperalign predict --data Folder`: the one command that restores anybody's cubes, on a real scene."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from datamodules.scenes.readers import open_cube, read_mat
from datamodules.spectra import TRAINING
from experiments.cli import main, run

CHECKPOINT = Path(__file__).parents[2] / "experiments" / "hir_align" / "checkpoints" / "gaussian.ckpt"
COMMAND = ["predict", "--config", "backbones/sert_compact", "--data", "Folder", "--data.root", "in", "--output", "out"]
QUIET = ["--trainer.logger", "false", "--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu"]
WEIGHTS = ["--ckpt_path", str(CHECKPOINT)]
OLDER_FILE = Path(__file__).parents[1] / "lightning_modules" / "checkpoints" / "a92c4af.ckpt"
"""The same weights as an earlier version wrote them, without wavelengths and without a description."""
OLDER = ["--data.trained_wavelengths", "400:700:31"]
OWN_BANDS = ["--data.wavelengths", "400:700:31", "--data.axes", "CHW"]
PAVIA = ["--data.wavelengths", "430:860:102", "--data.axes", "HWC"]


@pytest.fixture
def pavia(shared: Path, folder: Path) -> NDArray[np.float64]:
    """The real crop, height x width x 102, beside a noisy copy in `in`."""
    clean = read_mat(shared / "data" / "PaviaCentre_crop" / "v5" / "Pavia.mat", "data")
    (folder / "in").mkdir()
    noise = np.random.default_rng(0).normal(0, 50 / 255, clean.shape)
    np.save(folder / "in" / "pavia.npy", (clean + noise).astype(np.float32))
    return clean


def psnr(found: NDArray[np.floating], clean: NDArray[np.floating]) -> float:
    """Of all values at once, range 1, in dB."""
    return float(-10 * np.log10(np.square(found - clean).mean()))


def test_a_real_scene_of_other_bands_is_restored_after_the_explicit_setting(
    folder: Path, pavia: NDArray[np.float64], capsys: pytest.CaptureFixture[str]
) -> None:
    for given, sentence in (
        ([], "does not record the wavelengths that it was trained on: give data.init_args.trained_wavelengths"),
        (OLDER, "can be on more than one axis: give `axes`"),
        ([*OLDER, *PAVIA[2:]], "does not say its wavelengths: give data.init_args.wavelengths"),
        (
            [*OLDER, *PAVIA[:2]],
            "has 102 bands from 430 to 860 nm, but the network was trained on 31 bands from 400 to 700",
        ),
        ([*OLDER, *PAVIA[:2], "--data.bands", "select"], "set data.init_args.bands to interpolate"),
    ):
        assert main([*COMMAND, *QUIET, "--ckpt_path", str(OLDER_FILE), *given]) == 1
        assert sentence in capsys.readouterr().err
    # A checkpoint that describes its network and its bands needs neither a backbone's config nor their centres.
    assert main([COMMAND[0], *COMMAND[3:], *QUIET, *WEIGHTS, *PAVIA, "--data.bands", "interpolate"]) == 0
    restored = np.load(folder / "out" / "pavia.npy")
    assert restored.shape == (100, 100, 28)
    assert restored.dtype == np.float32
    centres, wanted = np.linspace(430, 860, 102), np.arange(430.0, 701.0, 10.0)

    def at_the_networks_bands(cube: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.stack([np.apply_along_axis(lambda s: np.interp(wanted, centres, s), 2, row[None])[0] for row in cube])

    clean = at_the_networks_bands(pavia)
    noisy = at_the_networks_bands(np.load(folder / "in" / "pavia.npy"))
    assert psnr(restored, clean) > psnr(noisy, clean) + 5
    assert {path.name for path in (folder / "out").iterdir()} == {
        *(f"pavia.npy{ending}" for ending in ("", ".json", ".restored.png", ".spectra.png")),
    }
    record = json.loads((folder / "out" / "pavia.npy.json").read_text())
    assert record["notes"]["bands not written"] == "400, 410, 420 nm, outside of the observation's range"


def test_a_checkpoint_of_a_fit_needs_no_settings_for_cubes_of_its_own_bands(folder: Path) -> None:
    """What `fit` was trained on stands in its checkpoint; predict reads it and matches the bands in any order."""
    tiny = ["--model.network.dim", "8", "--model.network.depths", "[1, 1]", "--model.network.split_sizes", "[1, 2]"]
    fit = ["--data", "SampleScenes", "--data.crop", "32", "--data.patch_size", "16", "--data.patches_per_epoch", "4"]
    steps = ["--trainer.max_steps", "1", "--trainer.limit_val_batches", "0", "--data.cache", str(folder / "cache")]
    scenes = ["--data.training", f"[{TRAINING[0]}]", "--data.validation", "[]"]
    command = run(["fit", *COMMAND[1:3], *tiny, *fit, *steps, *scenes, *QUIET])
    assert command.model.trained_on == {}
    checkpoint = next(folder.rglob("*.ckpt"))
    cube = np.random.default_rng(0).integers(0, 4095, (31, 20, 20)).astype(np.uint16)
    (folder / "in").mkdir()
    np.save(folder / "in" / "cube.npy", cube)
    centres = str([700.0 - 10 * band for band in range(31)])
    settings = ["--data.wavelengths", centres, "--data.axes", "CHW", "--data.normalisation", "scale:4095"]
    with warnings.catch_warnings(record=True) as told:
        command = run([*COMMAND, *QUIET, *tiny, *settings, "--ckpt_path", str(checkpoint)])
    # states of the fit's callbacks are nothing that a prediction needs
    assert not [str(one.message) for one in told if "callbacks used to create" in str(one.message)]
    centres_of_scenes = [400.0 + 10 * band for band in range(31)]
    assert command.model.trained_on == {"wavelengths": centres_of_scenes, "normalisation": "none"}
    restored = open_cube(folder / "out" / "cube.npy", axes="CHW")
    assert restored.shape == (31, 20, 20)
    assert restored.dtype == np.uint16
    assert main([*COMMAND, *QUIET, *tiny, *settings, "--ckpt_path", str(checkpoint), "--resume"]) == 0


def test_without_weights_nothing_is_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "in").mkdir()
    np.save(folder / "in" / "cube.npy", np.zeros((31, 20, 20), dtype=np.float32))
    assert main([*COMMAND, *QUIET, *OLDER]) == 2
    assert capsys.readouterr().err.endswith(
        "error: The network has no trained weights to restore with: give --ckpt_path a checkpoint, or "
        "--model.init_args.source the source-trained one.\n"
    )
    assert not (folder / "out").exists()


def test_the_writer_has_keys_of_its_own_for_predict_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*COMMAND, "--writer.dtypes", "uint16"]) == 2
    assert "There is no key 'writer.dtypes' (on the command line): the nearest valid key is 'writer.dtype'" in (
        capsys.readouterr().err
    )
    assert main(["test", *COMMAND[1:-2], "--resume"]) == 2


def test_a_folder_and_a_checkpoint_of_any_network_are_enough(folder: Path) -> None:
    """No config at all: the x4 network is the one that the checkpoint describes, not the one of the denoisers."""
    (folder / "in").mkdir()
    np.save(folder / "in" / "cube.npy", np.full((31, 20, 17), 0.5, dtype=np.float32))
    words = [
        "--data",
        "Folder",
        "--data.root",
        "in",
        "--output",
        "out",
        "--data.wavelengths",
        "400:700:31",
        "--data.axes",
        "CHW",
        *QUIET,
    ]
    x4 = str(CHECKPOINT.with_name("super_resolution.ckpt"))
    assert main(["predict", *words, "--ckpt_path", x4]) == 0
    assert np.load(folder / "out" / "cube.npy").shape == (31, 80, 68)


def test_a_test_takes_its_model_from_the_checkpoint(folder: Path) -> None:
    data = ["--config", "data/sample_scenes", "--data.crop", "32", "--data.validation", "[shuttle_01]"]
    settings = [*data, "--data.cache", str(folder / "cache"), *QUIET, *WEIGHTS, "--model.tile", "96"]
    command = run(["test", *settings, "--config", "tasks/gaussian"])
    assert type(command.model.network).__name__ == "SERT"
    assert command.model.tile == 96
    assert command.trainer.callback_metrics["test/validation/psnr"] > 24
