"""The pair of observations: blur, phase and response against independent forms; the same pair everywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve
from torch import Tensor

from datamodules import FusionObservation, generator_for
from datamodules.degradations import bicubic_resize
from datamodules.degradations.point_spread import PointSpread
from datamodules.responses import load_response
from datamodules.sampling.batches import collate
from datamodules.sampling.full_scenes import ObservationDataset, observe, observed
from datamodules.scenes import Scene

WAVELENGTHS = tuple(float(nm) for nm in range(400, 701, 10))


def cube(height: int = 32, width: int = 48) -> Tensor:
    return torch.rand(31, height, width, generator=torch.Generator().manual_seed(0))


def gaussian(size: int, sigma: float, shift: float = 0.0) -> np.ndarray:
    """A normalised Gaussian on a square grid."""
    x = np.arange(size) - (size - 1) / 2 + shift
    kernel = np.exp(-(x[:, None] ** 2 + x**2) / (2 * sigma**2))
    return np.asarray(kernel / kernel.sum())


def test_srlf_is_a_mirrored_convolution_sampled_at_every_first_pixel() -> None:
    clean = cube()
    low = FusionObservation(8, "srlf")(clean, torch.Generator())
    blurred = np.stack([convolve(band, gaussian(7, 3.0), mode="reflect") for band in clean.double().numpy()])
    np.testing.assert_allclose(low.numpy(), blurred[:, ::8, ::8], atol=1e-6)


def test_block_centred_has_its_centre_of_mass_in_the_middle_of_the_block() -> None:
    spread = FusionObservation(8, "block_centred").spread
    places = spread.first + np.arange(len(spread.weights))
    assert len(places) == 16
    assert float(np.dot(places, spread.weights)) == pytest.approx(3.5)
    # Full width at half maximum is the ratio: the weight 4 pixels off the centre is half of the centre's.
    assert np.interp(3.5 + 4, places, spread.weights) / np.interp(3.5, places, spread.weights) == pytest.approx(
        0.5, rel=0.02
    )
    odd = FusionObservation(5, "block_centred").spread
    assert odd is not None
    assert (odd.first, len(odd.weights)) == (-2, 9)


def test_block_mean_and_bicubic_are_what_they_are_called() -> None:
    clean = cube()
    low = FusionObservation(4, "block_mean")(clean, torch.Generator())
    torch.testing.assert_close(low, torch.nn.functional.avg_pool2d(clean, 4))
    reduced = FusionObservation(4, "bicubic")(clean, torch.Generator())
    torch.testing.assert_close(reduced, bicubic_resize(32, 48, 8, 12).apply(clean))


def test_a_kernel_of_ones_own_equals_a_convolution() -> None:
    clean = cube()
    low = FusionObservation(4, "gaussian", kernel_size=5, sigma=1.2, offset=1.0)(clean, torch.Generator())
    blurred = np.stack([convolve(band, gaussian(5, 1.2), mode="reflect") for band in clean.double().numpy()])
    np.testing.assert_allclose(low.numpy(), blurred[:, 1::4, 1::4], atol=1e-6)


def test_multispectral_image_is_the_response_times_the_spectra() -> None:
    clean = cube()
    seen = FusionObservation().multispectral(clean, WAVELENGTHS, torch.Generator())
    expected = np.tensordot(load_response("nikon_d700").matrix(WAVELENGTHS).numpy(), clean.numpy(), 1)
    np.testing.assert_allclose(seen.numpy(), expected, atol=1e-6)
    white = FusionObservation().multispectral(torch.ones(31, 8, 8), WAVELENGTHS, torch.Generator())
    torch.testing.assert_close(white, torch.ones(3, 8, 8))


def test_noise_has_the_ratio_asked_for_in_every_band_and_is_seeded() -> None:
    clean = cube(128, 128)
    quiet, noisy = FusionObservation(2), FusionObservation(2, hyperspectral_snr=30.0, multispectral_snr=40.0)
    low = quiet(clean, torch.Generator())
    noise = noisy(clean, torch.Generator().manual_seed(1)) - low
    ratio = 10 * torch.log10(low.square().mean((1, 2)) / noise.square().mean((1, 2)))
    torch.testing.assert_close(ratio, torch.full((31,), 30.0), rtol=0, atol=0.3)
    image = quiet.multispectral(clean, WAVELENGTHS, torch.Generator())
    difference = noisy.multispectral(clean, WAVELENGTHS, torch.Generator().manual_seed(1)) - image
    ratio = 10 * torch.log10(image.square().mean((1, 2)) / difference.square().mean((1, 2)))
    torch.testing.assert_close(ratio, torch.full((3,), 40.0), rtol=0, atol=0.2)


def test_adaptation_test_and_training_see_the_same_pair() -> None:
    scene = Scene("a", cube(), WAVELENGTHS, "a caption")
    task = FusionObservation(8, hyperspectral_snr=30.0, multispectral_snr=30.0)
    observation = observe(scene, task, seed=4)
    sample = observed(scene, task, generator_for(4, "observation", "a"))
    assert observation.multispectral is not None
    assert torch.equal(observation.multispectral, sample["multispectral"])
    assert torch.equal(observation.cube, sample["observation"])
    batch = collate([ObservationDataset([observation])[0]] * 2)
    assert batch["multispectral"].shape == (2, 3, 32, 48)
    assert batch["observation"].shape == (2, 31, 4, 6)
    assert batch["caption"] == ["a caption"] * 2


def test_settings_tell_sensors_and_blurs_apart() -> None:
    tasks = [
        FusionObservation(),
        FusionObservation(4),
        FusionObservation(psf="block_mean"),
        FusionObservation(response="landsat8_oli"),
        FusionObservation(channels=["green"]),
        FusionObservation(multispectral_snr=30.0),
    ]
    assert len({repr(task) for task in tasks}) == len(tasks)
    assert [len(str(task.settings()["response_digest"])) for task in tasks] == [16] * len(tasks)


def test_sensors_that_are_known_otherwise_take_the_place_of_the_tasks_own() -> None:
    task, response, spread = FusionObservation(4), load_response("landsat8_oli"), PointSpread((0.5, 0.5), 1)
    same, seen, blurred = (task.observed_by(*known) for known in ((None, None), (response, None), (None, spread)))
    assert same.settings() == task.settings()
    assert (seen.response, seen.psf, seen.spread) == (response, "srlf", task.spread)
    assert (blurred.response, blurred.psf, blurred.spread) == (task.response, "given", spread)
    assert blurred.phase == 1.5


def test_a_ratio_of_one_leaves_the_size() -> None:
    assert torch.equal(FusionObservation(1, "block_mean")(cube(), torch.Generator()), cube())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ratio": 0}, "ratio of the fusion observation is 0 but must be at least 1"),
        ({"psf": "box"}, "psf is 'box' but must be one of srlf, block_centred"),
        ({"sigma": 2.0}, "psf srlf fixes kernel_size, sigma and offset; leave them out or choose gaussian"),
        ({"psf": "gaussian"}, "psf gaussian needs kernel_size, sigma and offset"),
        ({"psf": "gaussian", "kernel_size": 3, "sigma": 1.0, "offset": 8.0}, "offset from 0 to 7"),
    ],
)
def test_bad_settings_are_one_sentence(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FusionObservation(**settings)  # type: ignore[arg-type]


def test_a_response_of_another_number_of_bands_is_one_sentence() -> None:
    with pytest.raises(
        ValueError, match=r"nikon_d700 was asked for 30 wavelengths but the cube has 31 bands; give one"
    ):
        FusionObservation().multispectral(cube(), WAVELENGTHS[:30], torch.Generator())


def test_sizes_that_do_not_divide_are_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"36 x 48 pixels cannot be observed at the ratio 8; crop it"):
        FusionObservation()(cube(36, 48), torch.Generator())
