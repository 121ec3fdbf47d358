from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from datamodules import EstimatedNoise, NonIIDGaussian, SeveralTasks
from datamodules.degradations.estimated_noise import replayed
from datamodules.degradations.noise import AlongRows, Deadlines, Impulses, SignalDependentNoise, Stripes
from datamodules.degradations.operators import Masking
from datamodules.estimation import BandNoise, NoiseEstimate, SceneNoise
from hyperalign.errors import InputError
from tests.datamodules.estimation.scenes import clean_scene

BANDS = (
    BandNoise(variance=0.01),
    BandNoise(variance=0.001, slope=0.02),
    BandNoise(stripe_share=0.1, stripe_amplitude=0.25),
    BandNoise(dead_share=0.2),
    BandNoise(impulse_share=0.3, salt_share=0.25, low=-0.5, high=2.0),
    BandNoise(missing=True),
)
WAVELENGTHS = tuple(float(band) for band in range(6))


@pytest.fixture
def written(tmp_path: Path) -> str:
    NoiseEstimate(WAVELENGTHS, (SceneNoise("a", BANDS, "columns", "complex"),)).write(tmp_path / "noise.json")
    return str(tmp_path / "noise.json")


def degraded(task: EstimatedNoise, level: float = 0.5, side: int = 200, seed: int = 0) -> torch.Tensor:
    return task(torch.full((6, side, side), level), torch.Generator().manual_seed(seed))


def test_the_estimate_is_replayed_band_by_band(written: str) -> None:
    noise = degraded(EstimatedNoise(written)) - 0.5
    assert noise[0].std().item() == pytest.approx(0.1, rel=0.02)
    assert noise[1].std().item() == pytest.approx((0.001 + 0.5 * 0.02) ** 0.5, rel=0.02)
    striped = (noise[2] == noise[2][:1]).all(dim=0) & (noise[2][0] != 0)
    assert striped.float().mean().item() == pytest.approx(0.1, abs=0.06)
    assert noise[2].abs().max().item() <= 0.25
    assert (noise[3] == -0.5).all(dim=0).float().mean().item() == pytest.approx(0.2, rel=0.35)
    assert (noise[4] == 1.5).float().mean().item() == pytest.approx(0.075, rel=0.1)
    assert (noise[4] == -1.0).float().mean().item() == pytest.approx(0.225, rel=0.1)
    assert (noise[5] == -0.5).all()


def test_equal_seeds_give_equal_noise_and_other_seeds_other_noise(written: str) -> None:
    task = EstimatedNoise(written)
    assert torch.equal(degraded(task), degraded(task))
    assert not torch.equal(degraded(task), degraded(task, seed=1))


def test_measuring_what_was_replayed_gives_it_back(written: str) -> None:
    task, again = EstimatedNoise(written, missing=[], sigmas=[25.5, 8.0, 8.0, 8.0, 8.0, 8.0]), EstimatedNoise()
    ramp = torch.linspace(0.2, 0.8, 256).expand(6, 256, 256)
    again.measure([task(ramp, torch.Generator().manual_seed(0))], ["a"], WAVELENGTHS)
    estimate = again.estimate
    assert estimate is not None
    found = estimate.scenes[0].bands
    assert found[0].sigma == pytest.approx(0.1, rel=0.05)
    assert found[1].slope == pytest.approx(0.02, rel=0.2)
    assert found[3].dead_share == pytest.approx(0.2, rel=0.35)
    assert (found[4].low, found[4].high) == (-0.5, 2.0)
    assert found[4].salt_share == pytest.approx(0.25, rel=0.1)
    again.measure([], [], WAVELENGTHS)
    assert again.estimate is estimate


def test_everything_can_be_overridden(written: str) -> None:
    still = EstimatedNoise(
        written, sigmas=[0.0], slope=0.0, stripe_share=0.0, dead_share=0.0, impulse_share=0.0, missing=[1]
    )
    noise = degraded(still) - 0.5
    assert noise[[0, 2, 3, 4, 5]].abs().max() == 0.0
    assert (noise[1] == -0.5).all()
    louder = EstimatedNoise(written, sigmas=[10.0, 20.0, 30.0, 40.0, 50.0, 60.0], slope=0.0, missing=[])
    assert degraded(louder)[5].std().item() == pytest.approx(60 / 255, rel=0.02)
    assert still.settings() != louder.settings() != EstimatedNoise(written).settings()


def test_what_overrides_needs_nothing_that_was_measured(tmp_path: Path, written: str) -> None:
    quiet = tmp_path / "quiet.json"
    NoiseEstimate(WAVELENGTHS, (SceneNoise("a", tuple(BandNoise(salt_share=0.0) for _ in WAVELENGTHS)),)).write(quiet)
    hit = degraded(EstimatedNoise(str(quiet), impulse_share=0.4))
    assert (hit == 0).float().mean().item() == pytest.approx(0.2, abs=0.02)
    assert (hit == 1).float().mean().item() == pytest.approx(0.2, abs=0.02)
    with pytest.raises(
        InputError, match="got a stripe_share, but no stripe was measured in 'a': give stripe_amplitude"
    ):
        EstimatedNoise(str(quiet), stripe_share=0.3).measure([], [], WAVELENGTHS)
    # Bands without a stripe of their own are given the height of the others'.
    sigmas, shares = [0.0], {"dead_share": 0.0, "impulse_share": 0.0}
    striped = degraded(EstimatedNoise(written, sigmas=sigmas, stripe_share=1.0, missing=[], **shares)) - 0.5
    assert (striped.abs().amax(dim=(1, 2)) > 0).all()


def test_what_does_not_fit_is_told_before_anything_is_degraded(written: str) -> None:
    for wrong, sentence in (
        ({"sigmas": [1.0, 2.0]}, "got 2 sigmas for 6 bands"),
        ({"missing": [6]}, "among the 6 ban"),
    ):
        with pytest.raises(InputError, match=sentence):
            EstimatedNoise(written, **wrong).measure([], [], WAVELENGTHS)
    with pytest.raises(InputError, match="estimated for 6 bands and cannot be replayed on a cube of 2"):
        EstimatedNoise(written).measure([], [], WAVELENGTHS[:2])


def test_how_small_an_observation_may_be(written: str) -> None:
    assert EstimatedNoise().measured_side == 32
    assert EstimatedNoise(written).measured_side == NonIIDGaussian().measured_side == 1
    assert SeveralTasks([NonIIDGaussian(), EstimatedNoise()]).measured_side == 32


def test_stripes_along_rows(tmp_path: Path) -> None:
    bands = (BandNoise(stripe_share=0.5, stripe_amplitude=0.25), *(BandNoise() for _ in range(5)))
    NoiseEstimate(WAVELENGTHS, (SceneNoise("a", bands, "rows", "complex"),)).write(tmp_path / "noise.json")
    noise = degraded(EstimatedNoise(str(tmp_path / "noise.json"))) - 0.5
    assert torch.equal(noise[0], noise[0][:, :1].expand_as(noise[0]))
    assert (noise[0][:, 0] != 0).float().mean().item() == pytest.approx(0.5, rel=0.2)


def test_a_part_that_does_not_occur_is_left_out() -> None:
    quiet, stream = [BandNoise(variance=0.01)] * 6, np.random.default_rng(0)
    parts = [type(part) for part in replayed(quiet, "columns", (6, 4, 5), stream).parts]
    assert parts == [SignalDependentNoise]
    for band, kind in (
        (BandNoise(stripe_share=0.5), Stripes),
        (BandNoise(dead_share=0.5), Deadlines),
        (BandNoise(impulse_share=0.5), Impulses),
    ):
        (one,) = replayed([*quiet[1:], band], "columns", (6, 4, 5), stream).parts[1:]
        assert isinstance(one, kind)
        assert one.bands.tolist() == [5]
    missing = replayed([*quiet[1:], BandNoise(missing=True)], "columns", (6, 4, 5), stream).parts[1:]
    assert [type(part) for part in missing] == [Masking]


def test_lines_cross_cubes_that_are_not_square() -> None:
    bands = [BandNoise(stripe_share=1.0, stripe_amplitude=0.25, dead_share=0.5)] * 2
    for direction, length in (("columns", 5), ("rows", 4)):
        noise = replayed(bands, direction, (2, 4, 5), np.random.default_rng(0))
        assert noise.apply(torch.full((2, 4, 5), 0.5)).shape == (2, 4, 5)
        stripes = noise.parts[1]
        if direction == "rows":
            assert isinstance(stripes, AlongRows)
            stripes = stripes.columns
        assert isinstance(stripes, Stripes)
        assert stripes.offsets.shape == (2, length)


def test_all_bands_may_be_missing(written: str) -> None:
    assert degraded(EstimatedNoise(written, missing=list(range(6))), side=8).abs().max().item() == 0.0


def test_what_cannot_be_done_is_said(written: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(InputError, match="has measured nothing yet"):
        degraded(EstimatedNoise())
    with pytest.raises(InputError, match="estimated for 6 bands and cannot be replayed on a cube of 2"):
        EstimatedNoise(written)(torch.zeros(2, 9, 9), torch.Generator())
    with pytest.raises(InputError, match="got 2 sigmas for 6 bands: give 1 or 6"):
        degraded(EstimatedNoise(written, sigmas=[1.0, 2.0]))
    with pytest.raises(InputError, match="are not all among the 6 bands"):
        degraded(EstimatedNoise(written, missing=[6]))
    with pytest.raises(InputError, match=r"dead_share is 1\.5 but must be a share"):
        EstimatedNoise(dead_share=1.5)
    for wrong in ([-1.0], []):
        with pytest.raises(InputError, match="not negative"):
            EstimatedNoise(sigmas=wrong)
    EstimatedNoise().measure([clean_scene(6, 64)], ["a"], WAVELENGTHS)
    assert "hold no noise that could be measured" in caplog.text
