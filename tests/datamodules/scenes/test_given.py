"""What is missing in an array is missing at the front door: refused by name and place, or filled and given back."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import hyperalign
from datamodules.scenes.given import Given, given_values, with_missing
from hyperalign.errors import HyperalignError

CHECKPOINT = Path(__file__).resolve().parents[3] / "experiments" / "hir_align" / "checkpoints" / "gaussian.ckpt"
CENTRES = [400.0 + 10 * band for band in range(31)]


def cube(bands: int = 31) -> NDArray[np.float32]:
    y, x = np.mgrid[:18, :20]
    waves = [0.5 + 0.3 * np.sin((x + 2 * y) / 9 + band / 7) for band in range(bands)]
    return np.stack(waves).astype(np.float32)


def holed(mark: float) -> NDArray[np.float32]:
    values = cube()
    values[:, 5, :4] = mark
    return values


@pytest.mark.parametrize("rule", ["none", "maximum", "minmax", "scale:10000"])
@pytest.mark.parametrize(
    ("given", "found"),
    [
        (holed(-9999), r"missing values \(-9999, which usually marks them\)"),
        (holed(-9999).astype(np.int16), r"missing values \(-9999, which usually marks them\)"),
        (holed(-32768).astype(np.int16), r"missing values \(-32768, which usually marks them\)"),
        (holed(np.inf), "NaN or infinite values"),
        (holed(np.nan), "NaN or infinite values"),
        (np.ma.masked_array(cube(), holed(-1) == -1), "masked values"),
        (cube().astype(np.float64) * 1e300, "values beyond those of float32"),
    ],
)
def test_missing_values_are_refused_under_every_normalisation(given: Any, found: str, rule: str) -> None:  # noqa: ANN401
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(HyperalignError, match=rf"^The cube holds {found}.*, the first in band 0 at row "):
            hyperalign.restore(given, CHECKPOINT, normalisation=rule)


def test_kept_ones_are_filled_for_the_network_and_missing_in_the_result() -> None:
    filled = cube()
    for plane in filled:
        plane[5, :4] = np.median(np.delete(plane.ravel(), [100, 101, 102, 103]))
    expected = hyperalign.restore(filled, CHECKPOINT)
    for mark in (-9999.0, np.nan, -5.0):
        restored = hyperalign.restore(holed(mark), CHECKPOINT, nan="keep", missing=[-5] if mark == -5.0 else None)
        assert np.array_equal(restored[:, 5, :4], np.full((31, 4), mark, np.float32), equal_nan=True)
        restored[:, 5, :4] = expected[:, 5, :4]
        assert np.array_equal(restored, expected)
    masked = np.ma.masked_array(cube(), holed(-1) == -1)
    restored = hyperalign.restore(masked, CHECKPOINT, nan="keep")
    assert isinstance(restored, np.ma.MaskedArray)
    assert np.array_equal(restored.mask, masked.mask)
    assert np.array_equal(restored.data, expected)
    tensor = hyperalign.restore(torch.from_numpy(holed(np.nan)), CHECKPOINT, nan="keep")
    assert torch.equal(tensor.isnan(), torch.from_numpy(holed(np.nan)).isnan())


def test_a_masked_array_without_holes_stays_one() -> None:
    plain = np.ma.masked_array(cube(), False)
    assert np.array_equal(hyperalign.restore(plain, CHECKPOINT), hyperalign.restore(cube(), CHECKPOINT))


def test_a_band_without_any_value_lies_between_its_neighbours() -> None:
    values = cube(4)
    values[1] = np.nan
    given = given_values(values, "cube", "keep")
    assert np.allclose(given.values[1], (values[0] + values[2]) / 2, atol=1e-7)
    values[3] = -9999
    assert np.array_equal(given_values(values, "cube", "keep").values[3], values[2])
    with pytest.raises(HyperalignError, match="The cube holds no value that is not missing: leave it out"):
        given_values(np.full((2, 3, 4), np.nan), "cube", "keep")


def test_the_mark_is_the_one_that_stood_there_or_nan() -> None:
    assert given_values(holed(-9999), "cube", "keep").mark == -9999
    both = holed(-9999)
    both[3, 0, 0] = np.nan
    assert np.isnan(given_values(both, "cube", "keep").mark)
    assert given_values(cube(), "cube").missing is None
    # Numbers that are declared to be no marks are values.
    assert given_values(holed(-9999), "cube", marks=[]).values[0, 5, 0] == -9999


def test_holes_follow_the_bands_the_factor_and_the_second_image() -> None:
    hole = np.zeros((2, 2, 2), bool)
    hole[1, 0, 1] = True
    coarse = Given(np.zeros((2, 2, 2), np.float32), hole, -7.0, False)
    fine = np.zeros((3, 4, 4), bool)
    fine[2, 3, 0] = True
    second = Given(np.zeros((3, 4, 4), np.float32), fine, float("nan"), False)
    result = with_missing(np.ones((2, 4, 4), np.float32), coarse, second, None)
    expected = np.ones((2, 4, 4), np.float32)
    expected[1, :2, 2:] = -7
    expected[:, 3, 0] = -7
    assert np.array_equal(result, expected)


def test_what_is_no_array_of_real_numbers_is_named() -> None:
    for wrong, sentence in (
        (torch.empty(31, 4, 4, device="meta"), r"^The cube has no values \(device meta\): give real numbers"),
        (torch.zeros(31, 4, 4, dtype=torch.complex64), "^The cube holds complex64 values"),
        ("cube.npy", "^The cube is a str: give a NumPy array or a tensor"),
        (None, "^The cube is a NoneType"),
    ):
        with pytest.raises(TypeError, match=sentence):
            given_values(wrong, "cube")
    assert given_values(torch.full((1, 2, 2), 0.5, dtype=torch.bfloat16).to_sparse(), "cube").values.tolist() == [
        [[0.5, 0.5], [0.5, 0.5]]
    ]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"wavelengths": [centre / 1000 for centre in CENTRES]}, "end at 0.7, which is micrometres: give them in nm"),
        ({"wavelengths": [float("nan")] * 31}, "are no list of positive numbers"),
        ({"wavelengths": [400.0] * 31}, "hold 400 nm twice"),
        ({"bands": "nearest"}, "^`bands` is 'nearest': choose one of refuse, select, interpolate, windows"),
        ({"nan": "fill"}, "^`nan` is 'fill': choose one of refuse, keep"),
        ({"device": "nowhere"}, r"^The device 'nowhere' cannot be used \(.*\): name another, such as cpu"),
        ({"multispectral": cube(3)}, "^A multispectral image is given, but SERT takes none: leave it out"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(HyperalignError, match=sentence):
        hyperalign.restore(cube(), CHECKPOINT, **arguments)


def test_the_second_image_is_on_the_networks_scale_and_its_holes_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from lightning_modules import RestorationModule

    monkeypatch.setattr(RestorationModule, "needs", ("observation", "multispectral"))
    with pytest.raises(
        HyperalignError, match=r"^The multispectral image reaches [78]\d+\.?\d*, where .* divide it by its full"
    ):
        hyperalign.restore(cube(), CHECKPOINT, multispectral=cube(3) * 1000)
    with pytest.raises(HyperalignError, match=r"^The multispectral image holds missing values \(-9999, "):
        hyperalign.restore(cube(), CHECKPOINT, multispectral=holed(-9999)[:3])


def test_a_checkpoint_is_a_path() -> None:
    with pytest.raises(TypeError, match=r"^The checkpoint is a NoneType: give the path of its file"):
        hyperalign.restore(cube(), None)  # type: ignore[arg-type]
    with pytest.raises(HyperalignError, match=r"^The device 'nowhere' cannot be used"):
        hyperalign.load(CHECKPOINT, device="nowhere")
