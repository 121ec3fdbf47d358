"""Estimated changes of the error against the true ones, for restorers whose errors are known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from callbacks.reporting.without_truth.intervals import scene_gain
from callbacks.reporting.without_truth.risk import compare
from datamodules import ComplexMixture, NonIIDGaussian
from tests.datamodules.estimation.scenes import clean_scene


def blurred(side: int) -> object:
    """Return the mean over a square, which is better the larger it is until edges suffer."""

    def restore(cube: Tensor) -> Tensor:
        return avg_pool2d(cube, side, 1, side // 2, count_include_pad=False)

    return restore


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("sides", "better"), [((3, 5), True), ((5, 61), False)])
@pytest.mark.parametrize("noise", ["gaussian", "complex"])
def test_the_change_of_the_squared_error_is_that_of_the_truth(
    noise: str, sides: tuple[int, int], better: bool, turned: bool
) -> None:
    clean = clean_scene(12, 128)
    task = NonIIDGaussian([20.0]) if noise == "gaussian" else ComplexMixture(sigmas=[20.0], impulse_amounts=[0.1])
    noisy = task(clean, torch.Generator().manual_seed(2))
    if turned:
        clean, noisy = (one.transpose(1, 2).contiguous() for one in (clean, noisy))
    first, second = (blurred(side) for side in sides)
    compared = compare(first, second, noisy, "one")  # type: ignore[arg-type]
    errors = [(one(noisy) - clean).square().mean() for one in (first, second)]  # type: ignore[operator]
    assert bool(errors[1] < errors[0]) == better
    gain = scene_gain(compared)
    # Of damage, few pixels are held out, and faint stripes are not seen.
    within = 0.15 if noise == "gaussian" else 0.6
    assert gain.squared == pytest.approx(float(errors[1] - errors[0]), rel=within)
    assert (gain.change > 0) == better
    assert gain.low <= gain.change <= gain.high


def test_equal_restorers_differ_by_nothing() -> None:
    noisy = NonIIDGaussian([20.0])(clean_scene(8, 64), torch.Generator().manual_seed(2))
    restore = blurred(3)
    gain = scene_gain(compare(restore, restore, noisy, "one"))  # type: ignore[arg-type]
    assert (gain.change, gain.low, gain.high, gain.squared) == (0.0, 0.0, 0.0, 0.0)
