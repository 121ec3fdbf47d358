"""Arrays in, an adapted network out: what `hyperalign adapt` does to a folder, in Python."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

import hyperalign
from datamodules.estimation import NoiseEstimate
from hyperalign.errors import InputError
from tests.datamodules.estimation.scenes import clean_scene

BANDS, SIDE, SIGMA = 12, 40, 30 / 255
CENTRES = [450.0 + 20 * band for band in range(BANDS)]
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "adapt_arrays.py"
SHORT = ["--pictures", "null"]


def noisy(number: int, bands: int = BANDS) -> NDArray[np.float32]:
    clean = clean_scene(bands, SIDE, number).numpy()
    noise = SIGMA * np.random.default_rng(number).standard_normal(clean.shape).astype(np.float32)
    cube: NDArray[np.float32] = (clean + noise).astype(np.float32)
    return cube


def test_arrays_of_either_order_adapt_the_packaged_source_and_restore(tmp_path: Path) -> None:
    amber = noisy(0)
    cubes: dict[str, NDArray[np.float32] | Tensor] = {
        "amber": amber,
        "birch": torch.from_numpy(noisy(1)).permute(1, 2, 0),
    }
    options = [*SHORT, "--data.unobserved", "[birch]"]
    adapted = hyperalign.adapt(cubes, wavelengths=CENTRES, steps=2, folder=tmp_path / "out", options=options)
    assert adapted.checkpoint.is_file()
    assert adapted.checkpoint.is_relative_to(tmp_path / "out")
    assert isinstance(adapted.estimate, NoiseEstimate)
    assert adapted.estimate.family == "gaussian"
    (scene,) = adapted.estimate.scenes
    assert scene.bands[3].sigma == pytest.approx(SIGMA, rel=0.15)
    assert sorted(adapted.gains) == ["observed", "unobserved"]
    assert all(low <= change <= high for change, low, high in adapted.gains.values())
    assert not list((tmp_path / "out").glob(".cubes-*"))
    restored = hyperalign.restore(amber, adapted)
    clean = clean_scene(BANDS, SIDE, 0).numpy()
    assert np.square(restored - clean).mean() < 0.1 * np.square(amber - clean).mean()
    assert type(adapted.network).__name__ == "Subspace"


def test_ten_lines_adapt_and_restore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "a.npy", noisy(0, 31))
    monkeypatch.setattr(sys, "argv", ["adapt_arrays.py", str(tmp_path / "out"), "1", str(tmp_path / "a.npy")])
    monkeypatch.setattr("callbacks.GainWithoutTruth.on_test_batch_end", lambda *_, **__: None)
    runpy.run_path(str(EXAMPLE))
    assert np.load(tmp_path / "out" / "restored.npy").shape == (31, SIDE, SIDE)
    lines = [line for line in EXAMPLE.read_text(encoding="utf-8").splitlines()[1:] if line.strip()]
    assert len(lines) <= 10


@pytest.mark.parametrize(
    ("cubes", "settings", "sentence"),
    [
        ([], {}, "There is no cube to adapt to: give at least one array."),
        (
            [noisy(0)[None]],
            {},
            r"The cube 'cube_0' has the shape 1 x 12 x 40 x 40: give C x H x W, one image at a time\.",
        ),
        ([noisy(0)[:5]], {}, r"The cube 'cube_0' of 5 x 40 x 40 has no axis of 12 bands, as many as there are"),
        ([noisy(0)], {"axes": "HWC"}, r"no axis of 12 bands where HWC has them, as many as"),
        ([noisy(0)[:, :, :12]], {}, r"of 12 x 40 x 12 may have its bands first or last: give `axes`, CHW or HWC\."),
        ([np.full((12, 40, 40), np.nan)], {}, r"The cube 'cube_0' holds NaN or infinite values, the first in band 0"),
        (
            [np.full((12, 40, 40), 0.5)],
            {},
            r"^All observed cubes are constant, black or saturated: give cubes that show something\.$",
        ),
        (
            [(noisy(0).clip(0, 1) * 4000).astype(np.uint16)],
            {},
            r"^The cube cube_0\.npy reaches 4000 after the normalisation 'none', .*: set `normalisation` to another of",
        ),
        ([noisy(0)], {"steps": 0}, r"^adapt got steps=0: give at least 1"),
        ([noisy(0)[:, :20, :20]], {}, r"^The cube cube_0\.npy has 20 x 20 pixels, too few to estimate its noise"),
        (
            [clean_scene(12, 40)],
            {},
            r"^The cubes look clean or low-resolution, for which no packaged source was trained",
        ),
    ],
)
def test_what_cannot_be_adapted_to_is_one_sentence(
    tmp_path: Path, cubes: list[Any], settings: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        hyperalign.adapt(cubes, wavelengths=CENTRES, folder=tmp_path / "out", **settings)
    assert not list(tmp_path.rglob("*.npy"))


def test_missing_values_are_kept_and_what_shows_nothing_is_named(tmp_path: Path) -> None:
    cube = noisy(0)
    cube[:, :3] = np.nan
    cubes = {"amber": np.ma.masked_invalid(cube), "flat": np.zeros_like(cube)}
    options = [*SHORT, "--gain", "null", "--synthesis", "null"]
    adapted = hyperalign.adapt(
        cubes, wavelengths=CENTRES, nan="keep", steps=1, folder=tmp_path / "out", options=options
    )
    assert adapted.checkpoint.is_file()
    assert list(adapted.left_out) == ["flat"]
    assert "constant in every band" in adapted.left_out["flat"]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(hyperalign.HyperalignError, match=r"cannot be written \(Not a directory\): choose another one"):
        hyperalign.adapt([noisy(0)], wavelengths=CENTRES, folder=tmp_path / "file" / "out")
