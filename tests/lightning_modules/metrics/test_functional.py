"""PSNR, SSIM, SAM and ERGAS against their formulas written plainly (in every convention)."""

from __future__ import annotations

import math

import pytest
import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from lightning_modules.metrics.functional import SamZero, SsimWindow, ergas, psnr, sam, ssim


def cubes(bands: int = 4, size: int = 16) -> tuple[Tensor, Tensor]:
    """A restored cube and its target."""
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(bands, size, size, generator=generator) * 0.9 + 0.05
    return target + 0.05 * torch.randn(target.shape, generator=generator), target


def test_gaussian_ssim_equals_a_plain_window_by_window_sum() -> None:
    restored, target = cubes(bands=1, size=12)
    offsets = torch.arange(-5, 6, dtype=torch.float64)
    taps = torch.exp(-offsets.square() / 4.5)
    window = torch.outer(taps, taps) / taps.sum() ** 2
    values = []
    for top in (0, 1):
        for left in (0, 1):
            x = restored[0, top : top + 11, left : left + 11].double()
            y = target[0, top : top + 11, left : left + 11].double()
            mx, my = (window * x).sum(), (window * y).sum()
            vx, vy = (window * (x - mx) ** 2).sum(), (window * (y - my) ** 2).sum()
            cov = (window * (x - mx) * (y - my)).sum()
            values.append(
                (2 * mx * my + 1e-4) * (2 * cov + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4)),
            )
    expected = torch.stack(values).mean().item()
    assert ssim(restored, target, 1.0, "gaussian") == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("skip", 45.0), ("right_angle", (45 + 180) / 3), ("one_sided", (45 + 90) / 3), ("zero_angle", 15.0)],
)
def test_sam_rules_for_spectra_of_norm_zero(rule: SamZero, expected: float) -> None:
    # three pixels: an angle of 45 degrees, a black target, both black
    target = torch.tensor([[[1.0, 0.0, 0.0]], [[0.0, 0.0, 0.0]]])
    restored = torch.tensor([[[0.7, 0.4, 0.0]], [[0.7, 0.1, 0.0]]])
    assert sam(restored, target, rule) == pytest.approx(expected, abs=1e-6)


def test_psnr_of_bands_and_of_the_whole_cube() -> None:
    target = torch.zeros(2, 3, 4)
    restored = torch.stack((torch.full((3, 4), 0.1), torch.full((3, 4), 0.01)))
    assert psnr(restored, target, 1.0, "band_mean", math.inf) == pytest.approx(30.0, abs=1e-5)
    assert psnr(restored, target, 1.0, "global", math.inf) == pytest.approx(10 * math.log10(2 / 0.0101), abs=1e-5)
    assert psnr(restored, target, 2.0, "band_mean", math.inf) == pytest.approx(30 + 20 * math.log10(2), abs=1e-5)
    assert psnr(target, target, 1.0, "band_mean", 100.0) == 100.0
    assert psnr(target, target, 1.0, "global", math.inf) == math.inf


def test_uniform_ssim_is_scikit_images_default() -> None:
    restored, target = cubes()
    expected = [
        structural_similarity(x.double().numpy(), y.double().numpy(), data_range=1.0)
        for x, y in zip(restored, target, strict=True)
    ]
    whole = ssim(restored, target, 1.0, "uniform")
    # scikit-image averages where its window fits entirely too
    assert whole == pytest.approx(sum(expected) / len(expected), rel=1e-9)
    dark, darker = restored.double() / 50, target.double() / 50
    for peak in (2.0, 255.0):
        scaled = ssim(peak * dark, peak * darker, peak, "uniform")
        assert scaled == pytest.approx(ssim(dark, darker, 1.0, "uniform"), rel=1e-9), "constants follow the range"
    assert ssim(target, target, 1.0, "gaussian") == pytest.approx(1.0)
    with pytest.raises(ValueError, match="SSIM: a 6 x 16 cube is smaller than the 7 x 7 uniform window; evaluate on"):
        ssim(restored[:, :6], target[:, :6], 1.0, "uniform")


@pytest.mark.parametrize(("window", "side"), [("gaussian", 11), ("uniform", 7)])
def test_one_window_is_enough_and_every_band_needs_its_target(window: SsimWindow, side: int) -> None:
    restored, target = cubes(size=side)
    whole = ssim(restored, target, 1.0, window)
    bands = [ssim(restored[band : band + 1], target[band : band + 1], 1.0, window) for band in range(4)]
    assert whole == pytest.approx(sum(bands) / 4, rel=1e-12)
    with pytest.raises(ValueError, match="zip"):
        ssim(restored[:3], target, 1.0, window)


def test_angles_do_not_see_brightness_and_epsilon_fills_zeros() -> None:
    restored, target = cubes()
    angle = sam(restored, target, "skip")
    assert sam(3 * restored, 0.5 * target, "skip") == pytest.approx(angle, rel=1e-6)
    assert sam(target, 2 * target, "skip") == pytest.approx(0.0, abs=1e-5)
    pixel = torch.tensor([1.0, 0.0]).view(2, 1, 1)
    assert sam(pixel, pixel.flip(0), "skip") == pytest.approx(90.0)
    black, flat = torch.zeros(4, 1, 1), torch.ones(4, 1, 1)
    assert sam(black, black, "epsilon") == pytest.approx(90.0, abs=1e-3)
    assert sam(black, flat, "epsilon") < 90.0
    assert sam(black, flat, "skip") == 0.0


def test_ergas_is_relative_to_band_means_and_leaves_black_bands_out() -> None:
    target = torch.stack((torch.full((2, 2), 0.5), torch.full((2, 2), 0.25), torch.zeros(2, 2)))
    restored = target + 0.1
    expected = math.sqrt((0.01 / 0.25 + 0.01 / 0.0625) / 2)
    assert ergas(restored, target, 1.0, "squared", target) == pytest.approx(100 * expected, rel=1e-5)
    assert ergas(restored, target, 4.0, "squared", target) == pytest.approx(25 * expected, rel=1e-5)
    plain = math.sqrt((0.01 / 0.5 + 0.01 / 0.25) / 2)
    assert ergas(restored, target, 1.0, "plain", target) == pytest.approx(100 * plain, rel=1e-5)
    own = math.sqrt((0.01 / 0.36 + 0.01 / 0.1225 + 1) / 3)
    assert ergas(restored, target, 1.0, "squared", restored) == pytest.approx(100 * own, rel=1e-5)
    assert ergas(restored, target, 1.0, "squared", torch.zeros(3, 2, 2)) == 0.0


def test_rounding_above_a_cosine_of_one_is_no_angle() -> None:
    spectra = torch.rand(31, 64, 64, generator=torch.Generator().manual_seed(1))
    x = spectra.double().flatten(1)
    cosine = (x * x).sum(0) / (x.norm(dim=0) * x.norm(dim=0))
    assert float(cosine.max()) > 1.0
    assert sam(spectra, spectra, "right_angle") == pytest.approx(0.0, abs=1e-5)
    assert sam(spectra, -spectra, "right_angle") == pytest.approx(180.0, abs=1e-5)
