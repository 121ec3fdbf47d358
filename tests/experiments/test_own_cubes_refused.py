"""What `hyperalign adapt` says about cubes that cannot be adapted to: one sentence, a status, nothing partial left."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from datamodules import NonIIDGaussian
from experiments.cli import main
from tests.datamodules.estimation.scenes import clean_scene
from tests.datamodules.fake_chikusei import write_envi

BANDS = ("--data.axes", "CHW", "--data.wavelengths", "400:700:31")
SHORT = (
    *("--synthesis", "null", "--pictures", "null", "--gain", "null", "--noise", "null"),
    *("--trainer.max_steps", "1", "--trainer.enable_progress_bar", "false"),
)
SHIPPED = Path(__file__).parents[2] / "experiments" / "hir_align" / "checkpoints"


@pytest.fixture
def cubes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cubes").mkdir()
    return tmp_path / "cubes"


def noisy(number: int, bands: int = 31, side: int = 48) -> NDArray[np.float32]:
    cube: NDArray[np.float32] = NonIIDGaussian()(
        clean_scene(bands, side, number), torch.Generator().manual_seed(number)
    ).numpy()
    return cube


def bordered(number: int) -> NDArray[np.float32]:
    cube = noisy(number)
    cube[:, :3] = np.nan
    return cube


def adapt(*words: str) -> int:
    return main(["adapt", "--data.root", "cubes", *SHORT, *words])


def left(folder: Path) -> list[str]:
    """Files beside the cubes; the configuration of a run says what was asked for, and is none of its results."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "config.yaml")
    return [str(path) for path in files if "cubes" not in path.relative_to(folder).parts]


@pytest.mark.parametrize(
    ("made", "words", "sentence"),
    [
        (lambda _: np.full((31, 48, 48), 0.5, np.float32), (), "are constant, black or saturated: give data.init_args"),
        (lambda _: np.ones((31, 48, 48), np.float32), (), "are constant, black or saturated: give data.init_args.root"),
        (lambda number: clean_scene(31, 48, number).numpy(), (), "look clean or low-resolution, for which no packaged"),
        (lambda number: (noisy(number).clip(0, 1) * 4000).astype(np.uint16), (), "reaches 4000 after the normalisat"),
        (bordered, (), "holds NaN or infinite values, the first in band 0 at row 0, column 0: repair it, or set data."),
        (lambda number: noisy(number, side=20), (), "has 20 x 20 pixels, too few to estimate its noise: give at least"),
        (noisy, ("--data.patch_size", "56"), "has 48 x 48 pixels, fewer than a training patch of 56 x 56: set a small"),
        (noisy, ("--source", str(SHIPPED / "super_resolution.ckpt")), "super_resolution.ckpt do not fit SERT; choose"),
        (lambda number: noisy(number, bands=20), (), "has 20 bands (20 x 48 x 48) but 31 wavelengths: give one wave"),
    ],
    ids=["constant", "saturated", "clean", "integers", "border", "small", "patch", "family", "bands"],
)
def test_a_folder_that_cannot_be_adapted_to(
    made: Any,  # noqa: ANN401 - the number of a cube to its values
    words: tuple[str, ...],
    sentence: str,
    cubes: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for number, name in enumerate(("amber", "birch")):
        np.save(cubes / f"{name}.npy", made(number))
    assert adapt(*BANDS, *words) in (1, 2)
    (told,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert sentence in told
    assert left(cubes.parent) == []


def test_cubes_of_two_sensors(cubes: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for number, name in enumerate(("amber", "birch")):
        centres = [400.0 + 10 * band + 5 * number for band in range(31)]
        write_envi(cubes / name, noisy(number).transpose(1, 2, 0), centres)
    assert adapt() == 1
    assert "error: The cubes amber and birch differ in their bands: adapt to cubes of one" in capfd.readouterr().err
    assert left(cubes.parent) == []


def test_a_disk_without_room_is_named_before_the_proxies(
    cubes: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    np.save(cubes / "amber.npy", noisy(0))
    usage = type(shutil.disk_usage(cubes))(10**9, 10**9, 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert adapt(*BANDS) == 1
    assert (
        "error: The proxies need 0.00 GiB in the store runs/store, whose disk has 0.00 GiB left: free some space"
        in (capfd.readouterr().err)
    )
    assert left(cubes.parent) == []


def test_one_bad_cube_stops_no_other_and_ends_in_a_table_and_status_1(
    cubes: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    np.save(cubes / "amber.npy", noisy(0))
    np.save(cubes / "birch.npy", bordered(1))
    np.save(cubes / "cedar.npy", noisy(2))
    np.save(cubes / "delta.npy", bordered(3))
    (cubes / "torn.npy").write_bytes(b"nothing")
    held = ("--data.unobserved", "[cedar,delta]")
    assert adapt(*BANDS, *held) == 1
    said = capfd.readouterr()
    assert "why it could not be used" in said.out
    (told,) = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert told.startswith("error: 3 cubes could not be used (torn.npy: The file cubes/torn.npy of 7 bytes is trunc")
    assert "birch.npy: The cube cubes/birch.npy holds NaN" in told and "delta.npy: The cube" in told
    assert "Only one cube is observed: what is learned of it is tested on other cubes." in said.err
    (checkpoint,) = Path("runs").rglob("last.ckpt")
    # The same folder, whose borders are kept as missing, but for the file that holds nothing.
    (cubes / "torn.npy").unlink()
    words = ("--data.root", "cubes", *BANDS, *held, "--data.nan", "keep", "--pictures", "null", "--gain", "null")
    assert main(["test", *words, "--noise", "null", "--ckpt_path", str(checkpoint)]) == 0


def test_strict_stops_at_the_first_bad_cube(cubes: Path, capfd: pytest.CaptureFixture[str]) -> None:
    np.save(cubes / "amber.npy", noisy(0))
    np.save(cubes / "birch.npy", bordered(1))
    assert adapt(*BANDS, "--data.strict", "true") == 1
    assert "error: The cube cubes/birch.npy holds NaN" in capfd.readouterr().err
    assert left(cubes.parent) == []


def test_a_list_of_tasks_by_command(cubes: Path) -> None:
    np.save(cubes / "amber.npy", noisy(0))
    tasks = "".join(f"      - class_path: {name}\n" for name in ("NonIIDGaussian", "ComplexMixture"))
    Path("tasks.yaml").write_text(f"data:\n  init_args:\n    degradation:\n{tasks}")
    configs = ("backbones/sert_compact", "hir_align/adapt", "data/own_cubes", "tasks.yaml")
    named = [word for config in configs for word in ("--config", config)]
    patches = ("--data.patch_size", "16", "--data.batch_size", "2", "--data.trained_wavelengths", "400:700:31")
    words = (*named, *BANDS, *patches, "--model.init_args.source", str(SHIPPED / "gaussian.ckpt"))
    assert adapt(*words) == 0
    (checkpoint,) = Path("runs").rglob("last.ckpt")
    assert checkpoint.stat().st_size > 0
