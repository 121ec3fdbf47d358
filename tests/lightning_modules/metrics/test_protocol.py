"""The protocol's rules, sentences and one-line description."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from lightning_modules import MetricProtocol


def cubes(bands: int = 4, size: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    """A restored cube and its target."""
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(bands, size, size, generator=generator) * 0.9 + 0.05
    return target + 0.05 * torch.randn(target.shape, generator=generator), target


def test_scores_follow_their_formulas() -> None:
    restored, target = cubes()
    scores = MetricProtocol(ergas_ratio=4.0).evaluate(restored, target)
    errors = (restored.double() - target.double()).square().mean((1, 2))
    assert scores["psnr"] == pytest.approx((-10 * torch.log10(errors)).mean().item(), rel=1e-12)
    relative = errors / target.double().mean((1, 2)).square()
    assert scores["ergas"] == pytest.approx(25 * math.sqrt(relative.mean().item()), rel=1e-12)
    angles = torch.acos(torch.cosine_similarity(restored.double(), target.double(), dim=0))
    assert scores["sam"] == pytest.approx(torch.rad2deg(angles).mean().item(), rel=1e-9)
    assert list(scores) == ["psnr", "ssim", "sam", "ergas"]


def test_a_batch_of_one_cube_is_that_cube() -> None:
    restored, target = cubes()
    assert MetricProtocol().evaluate(restored[None], target[None]) == MetricProtocol().evaluate(restored, target)


def test_black_cubes_have_finite_scores() -> None:
    black = torch.zeros(3, 12, 12)
    scores = MetricProtocol(psnr_equal=100.0).evaluate(black, black)
    assert scores == {"psnr": 100.0, "ssim": 1.0, "sam": 0.0, "ergas": 0.0}


def test_clipping_switch() -> None:
    restored, target = cubes()
    low, high = restored - 0.5, target + 0.5
    for clip, x, y in ((False, low, high), (True, low.clamp(0, 1), high), ("both", low.clamp(0, 1), high.clamp(0, 1))):
        assert MetricProtocol(clip=clip).evaluate(low, high) == MetricProtocol().evaluate(x, y)  # type: ignore[arg-type]


def test_data_range_only_rescales() -> None:
    restored, target = cubes()
    ours, scaled = (
        MetricProtocol().evaluate(restored, target),
        MetricProtocol(255.0).evaluate(restored * 255, target * 255),
    )
    assert all(scaled[name] == pytest.approx(ours[name], rel=1e-5) for name in ours)


def test_description_names_every_convention() -> None:
    assert MetricProtocol().describe() == (
        "range 1, not clipped; PSNR mean over bands; SSIM Gaussian 11 x 11 sigma 1.5, full windows; "
        "SAM in degrees, zero spectra: skip; ERGAS ratio 1, squared mean of target; mean over scenes"
    )
    other = MetricProtocol(
        2.0,
        "both",
        "global",
        100.0,
        "uniform",
        "right_angle",
        ergas_ratio=4,
        ergas_mean="plain",
        ergas_reference="restored",
    ).describe()
    for words in (
        "range 2",
        "both clipped",
        "whole cube",
        "100 dB",
        "uniform 7 x 7",
        "right_angle",
        "ratio 4",
        "plain mean of restored",
    ):
        assert words in other


def test_a_ratio_that_is_left_to_the_task_is_given_before_ergas_is_computed() -> None:
    restored, target = torch.full((3, 16, 16), 0.5), torch.full((3, 16, 16), 0.4)
    open_ended = MetricProtocol(clip="both", ergas_ratio=None)
    assert "ERGAS ratio of the task," in open_ended.describe()
    assert open_ended.score("psnr", restored, target) == MetricProtocol().score("psnr", restored, target)
    with pytest.raises(ValueError, match="ERGAS needs the ratio of the task: give ergas_ratio"):
        open_ended.evaluate(restored, target)
    assert vars(open_ended.of_ratio(4)) == vars(MetricProtocol(clip="both", ergas_ratio=4))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"psnr": "mean"}, "psnr 'mean' is unknown; choose one of 'band_mean', 'global'"),
        ({"clip": "target"}, "clip 'target' is unknown"),
        ({"ssim_window": "box"}, "ssim_window 'box' is unknown"),
        ({"sam_zero": "nan"}, "sam_zero 'nan' is unknown"),
        ({"ergas_mean": "l1"}, "ergas_mean 'l1' is unknown"),
        ({"ergas_reference": "both"}, "ergas_reference 'both' is unknown"),
        ({"data_range": 0.0}, "data_range 0.0 and ergas_ratio 1.0 must both be positive"),
        ({"ergas_ratio": -1.0}, "ergas_ratio -1.0 must both be positive"),
        ({"ergas_ratio": 0.0}, "ergas_ratio 0.0 must both be positive"),
    ],
)
def test_unknown_conventions_give_a_sentence(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        MetricProtocol(**arguments)


@pytest.mark.parametrize(
    ("restored", "target", "sentence"),
    [
        ((4, 16, 16), (4, 64, 64), r"restored cube is \[4, 16, 16\] and its target \[4, 64, 64\]"),
        ((2, 4, 16, 16), (2, 4, 16, 16), r"shape \[2, 4, 16, 16\] cannot be scored at once"),
        ((4, 10, 16), (4, 10, 16), "a 10 x 16 cube is smaller than the 11 x 11 gaussian window"),
    ],
)
def test_cubes_that_cannot_be_scored_give_a_sentence(
    restored: tuple[int, ...], target: tuple[int, ...], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        MetricProtocol().evaluate(torch.rand(restored), torch.rand(target))


def test_unknown_metrics_are_refused() -> None:
    cube = torch.rand(2, 16, 16)
    with pytest.raises(ValueError, match=r"^MetricProtocol: metric 'psrn' is unknown; choose one of 'psnr', 'ssim', "):
        MetricProtocol().score("psrn", cube, cube)


def test_arrays_score_like_tensors_and_whole_numbers_like_fractions() -> None:
    target = torch.randint(0, 255, (3, 16, 16), dtype=torch.uint8)
    target[0, 0, 0] = 254
    restored = (target + 1).clamp(max=255)
    protocol = MetricProtocol(data_range=255.0)
    expected = protocol.evaluate(restored.double(), target.double())
    assert expected["psnr"] == pytest.approx(20 * math.log10(255))
    assert protocol.evaluate(restored, target) == pytest.approx(expected)
    assert protocol.evaluate(restored.numpy(), target.numpy()) == pytest.approx(expected)
    assert protocol.evaluate(restored.numpy().astype("uint16"), target.double().numpy()) == pytest.approx(expected)
    sentence = r"^MetricProtocol: the restored cube holds whole numbers up to \d+, beyond the data range of 1; div"
    with pytest.raises(ValueError, match=sentence):
        MetricProtocol().evaluate(restored, target)
    with pytest.raises(ValueError, match=sentence):
        MetricProtocol().evaluate(restored.numpy(), target.numpy())
    fractions = (restored.float() / 255).numpy(), (target.float() / 255).numpy()
    assert MetricProtocol().evaluate(*fractions) == pytest.approx(expected, rel=1e-4)
    with pytest.raises(TypeError, match=r"^MetricProtocol: the restored cube is list; give a tensor or a NumPy array"):
        MetricProtocol().evaluate([1.0], target)  # type: ignore[arg-type]


def test_a_band_without_error_is_named_and_not_spread_over_the_mean(caplog: pytest.LogCaptureFixture) -> None:
    target = torch.rand(3, 16, 16, dtype=torch.float64) * 0.5
    restored = target.clone()
    restored[0] += 0.1
    restored[2] += 0.01
    assert MetricProtocol().score("psnr", restored, target) == pytest.approx(30.0)
    assert "Band 1 is restored without any error, so its PSNR is infinite; the mean is over the other 2" in caplog.text
    assert MetricProtocol(psnr_equal=100).score("psnr", restored, target) == pytest.approx(160 / 3)
    assert math.isinf(MetricProtocol().score("psnr", target, target))


def test_a_band_that_is_not_finite_is_named() -> None:
    target, restored = torch.rand(3, 16, 16), torch.rand(3, 16, 16)
    restored[1, 2, 3] = math.inf
    for name in ("psnr", "ssim", "sam", "ergas"):
        with pytest.raises(ValueError, match="the restored cube holds NaN or infinite values in band 1 of 3, counted "):
            MetricProtocol().score(name, restored, target)
