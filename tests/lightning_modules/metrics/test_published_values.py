"""Every value of a published metric code that the protocol can express, on five pairs of cubes.

Not expressible, with the reason: `sert_engine_test` SSIM (whole-band moments without a window) and RMSE (not a metric
of the protocol); torchmetrics' SSIM (averages its reflect-padded border; population covariance for the uniform
window). Values that are nan (spectra of norm zero or cosines above one, without a rule) are no conventions.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_modules.metrics import MetricProtocol

PAIRS = ("near", "clipped", "far", "zeros", "same")
Case = tuple[str, dict[str, Any], float]  # metric, protocol arguments, factor from our unit to the published one

RADIANS = math.pi / 180
UNIFORM = {"ssim_window": "uniform"}
RIGHT_ANGLE = {"sam_zero": "right_angle"}
PLAIN = {"ergas_mean": "plain"}
RESTORED = {"clip": "restored"}
BOTH = {"clip": "both"}
AS_255 = {"data_range": 255.0}

CASES: dict[str, dict[str, Case]] = {
    "sert_indexes": {
        "psnr": ("psnr", {}, 1.0),
        "ssim": ("ssim", {"data_range": 2.0} | UNIFORM, 1.0),
        "sam": ("sam", {}, RADIANS),
    },
    "sert_engine_test": {
        "PSNR": ("psnr", {}, 1.0),
        "SAM": ("sam", {"sam_zero": "one_sided"}, 1.0),
        "ERGAS": ("ergas", {}, 1.0),
    },
    "sert_ssimloss_gauss11": {"ssim": ("ssim", {}, 1.0)},
    "sert_samloss": {"sam": ("sam", {"sam_zero": "skip"}, 1.0)},
    "t3sc": {
        "psnr": ("psnr", {"psnr": "global"}, 1.0),
        "mpsnr": ("psnr", {}, 1.0),
        "mssim": ("ssim", {}, 1.0),
        "mergas": ("ergas", PLAIN, 1.0),
        "msam": ("sam", RIGHT_ANGLE, RADIANS),
    },
    "t3sc_as_tested": {
        "psnr": ("psnr", {"psnr": "global"} | RESTORED, 1.0),
        "mpsnr": ("psnr", RESTORED, 1.0),
        "mssim": ("ssim", RESTORED, 1.0),
        "mergas": ("ergas", PLAIN | RESTORED, 1.0),
        "msam": ("sam", RIGHT_ANGLE | RESTORED, RADIANS),
    },
    "hirdiff": {
        "psnr": ("psnr", {}, 1.0),
        "ssim": ("ssim", UNIFORM, 1.0),
        "sam": ("sam", RIGHT_ANGLE, RADIANS),
        "ergas": ("ergas", PLAIN | {"ergas_reference": "restored"}, 1.0),
    },
    "ssumamba": {
        "psnr": ("psnr", {}, 1.0),
        "ssim": ("ssim", {}, 1.0),
        "sam": ("sam", {"sam_zero": "zero_angle"}, RADIANS),
    },
    "mphsir": {"psnr": ("psnr", BOTH, 1.0), "ssim": ("ssim", UNIFORM | BOTH, 1.0)},
    "mcnet_sfcsr": {
        "psnr": ("psnr", {"psnr": "global", "psnr_equal": 100.0}, 1.0),
        "ssim": ("ssim", {}, 1.0),
        "sam": ("sam", {"sam_zero": "epsilon"}, 1.0),
    },
    "torchmetrics": {
        "psnr_global": ("psnr", {"psnr": "global"}, 1.0),
        "psnr_band_mean": ("psnr", {}, 1.0),
        "sam_radians": ("sam", {}, RADIANS),
        "ergas_ratio4": ("ergas", {"ergas_ratio": 4.0}, 1.0),
        "ergas_ratio1": ("ergas", {}, 1.0),
    },
    "msqia": {
        "mpsnr": ("psnr", {"psnr_equal": 100.0} | AS_255, 1.0),
        "mssim": ("ssim", AS_255, 1.0),
        "ergas": ("ergas", PLAIN | AS_255, 1.0),
    },
}
INEXPRESSIBLE = {
    ("sert_engine_test", "SSIM"),
    ("sert_engine_test", "RMSE"),
    ("torchmetrics", "ssim_gaussian"),
    ("torchmetrics", "ssim_uniform7"),
}
ROWS = [(code, pair) for code in CASES for pair in PAIRS]


@pytest.fixture(scope="module")
def published(shared: Path) -> dict[str, Any]:
    """Recorded values by pair and code."""
    record: dict[str, Any] = json.loads((shared / "golden" / "metrics" / "metrics.json").read_text())
    return record


@pytest.fixture(scope="module")
def pairs(golden: ModuleType, published: dict[str, Any]) -> dict[str, tuple[Tensor, Tensor]]:
    """The five (output, target) pairs."""
    shape, seed = tuple(published["shape"]), published["seed"]
    target = golden.draw_input("metrics:target", shape, seed)
    other = golden.draw_input("metrics:output", shape, seed)
    near = target + 0.2 * (other - 0.5)
    dark, dark_output = target.clone(), near.clone()
    dark[:, :8, :8] = 0
    dark_output[:, :4, :8] = 0
    return {
        "near": (near, target),
        "clipped": (near.clamp(0, 1), target),
        "far": (other, target),
        "zeros": (dark_output, dark),
        "same": (target, target),
    }


def tolerance(metric: str, factor: float, pair: str, expected: float) -> float:
    """Tolerances that the record states, as an absolute difference in the published unit."""
    if metric in ("psnr", "ergas"):
        return 1e-5 * abs(expected)
    if metric == "ssim":
        return 1e-5
    degrees = 1e-2 if pair == "same" else 1e-3
    return degrees * factor if pair == "same" or factor == 1.0 else 1e-5


@pytest.mark.parametrize(("code", "pair"), ROWS)
def test_published_values_are_reproduced(
    code: str, pair: str, published: dict[str, Any], pairs: dict[str, tuple[Tensor, Tensor]]
) -> None:
    output, target = pairs[pair]
    for key, value in published["pairs"][pair][code].items():
        if (code, key) in INEXPRESSIBLE or value == "nan":
            continue
        metric, arguments, factor = CASES[code][key]
        gain = arguments.get("data_range", 1.0) if code == "msqia" else 1.0
        ours = MetricProtocol(**arguments).score(metric, output * gain, target * gain) * factor
        expected = float(value)
        if math.isinf(expected):
            assert math.isinf(ours), (code, pair, key)
        else:
            assert abs(ours - expected) <= tolerance(metric, factor, pair, expected), (code, pair, key, ours, expected)


def test_every_recorded_value_is_either_reproduced_or_listed(published: dict[str, Any]) -> None:
    for pair in PAIRS:
        for code, values in published["pairs"][pair].items():
            if code != "sum":
                assert {key for key in values if (code, key) not in INEXPRESSIBLE} <= set(CASES[code]), code


def test_drawn_pairs_are_the_recorded_ones(published: dict[str, Any], pairs: dict[str, tuple[Tensor, Tensor]]) -> None:
    for pair, (output, target) in pairs.items():
        sums = published["pairs"][pair]["sum"]
        assert math.isclose(output.sum(dtype=torch.float64).item(), sums["output"], rel_tol=1e-6)
        assert math.isclose(target.sum(dtype=torch.float64).item(), sums["target"], rel_tol=1e-6)
