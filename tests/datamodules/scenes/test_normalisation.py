"""Four rules of normalisation, and the statistics they need, read in strips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datamodules.scenes import normalisation
from datamodules.scenes.normalisation import Statistics, check_rule, measured, normalisation_of
from datamodules.scenes.readers import open_cube

STATISTICS = Statistics(-1.0, 4.0, 0, np.zeros(1, dtype=np.float32))


@pytest.mark.parametrize(
    ("rule", "offset", "scale"),
    [("none", 0.0, 1.0), ("maximum", 0.0, 4.0), ("minmax", -1.0, 5.0), ("scale:10000", 0.0, 10000.0)],
)
def test_rules(rule: str, offset: float, scale: float) -> None:
    found = normalisation_of(check_rule(rule), STATISTICS)
    assert (found.offset, found.scale, found.white) == (offset, scale, offset + scale)


@pytest.mark.parametrize("rule", ["maximum", "minmax"])
def test_a_cube_without_contrast_is_not_scaled(rule: str) -> None:
    assert normalisation_of(rule, Statistics(0.0, 0.0, 0, np.zeros(1, dtype=np.float32))).scale == 1.0


@pytest.mark.parametrize("rule", ["max", "scale", "scale:", "scale:0", "scale:-2", "scale:inf", "none:1", ""])
def test_unknown_rules_are_refused(rule: str) -> None:
    with pytest.raises(
        ValueError, match=r"^The normalisation '.*' is unknown: choose none, maximum, minmax, scale:VALUE"
    ):
        check_rule(rule)


def test_statistics_are_those_of_the_finite_values_of_the_bands_that_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cube = np.random.default_rng(0).normal(size=(4, 37, 20)).astype(np.float32)
    cube[0] = 100.0
    cube[1, 3, 4], cube[1, 30, 2], cube[3, 36, 19] = np.nan, np.inf, -np.inf
    np.save(tmp_path / "cube.npy", cube)
    # Strips of five rows, so that strips are put together.
    monkeypatch.setattr(normalisation, "_STRIP_VALUES", 4 * 20 * 5)
    found = measured(open_cube(tmp_path / "cube.npy", axes="CHW"), np.array([1, 2, 3]), medians=True)
    finite = np.where(np.isfinite(cube[1:]), cube[1:], np.nan)
    assert found.missing == 3
    assert found.low == pytest.approx(float(np.nanmin(finite)))
    assert found.high == pytest.approx(float(np.nanmax(finite)))
    np.testing.assert_allclose(found.medians, np.nanmedian(finite, axis=(1, 2)), rtol=1e-6)


def test_the_median_of_a_large_cube_is_that_of_a_regular_grid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cube = np.random.default_rng(0).normal(size=(2, 50, 60)).astype(np.float32)
    np.save(tmp_path / "cube.npy", cube)
    monkeypatch.setattr(normalisation, "_MEDIAN_VALUES", 2 * 50 * 60 // 9 + 1)
    monkeypatch.setattr(normalisation, "_STRIP_VALUES", 2 * 60 * 7)
    found = measured(open_cube(tmp_path / "cube.npy", axes="CHW"), np.array([0, 1]), medians=True)
    np.testing.assert_allclose(found.medians, np.median(cube[:, ::3, ::3], axis=(1, 2)), rtol=1e-6)


def test_a_cube_of_nothing_but_nan_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "cube.npy", np.full((3, 20, 20), np.nan, dtype=np.float32))
    with pytest.raises(ValueError, match=r"^The cube .*cube\.npy holds no value that is not NaN, infinite or missing"):
        measured(open_cube(tmp_path / "cube.npy", axes="CHW"), np.array([0]), medians=False)
