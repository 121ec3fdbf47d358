"""The whole stage: a known warp is recovered, settings and errors."""

import json

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from callbacks.transfer import LossWeights, Retrieval, SpectralTransfer
from tests.callbacks.transfer.samples import smooth_cube


def psnr(found: Tensor, truth: Tensor) -> float:
    return float(-10 * torch.log10((found - truth).square().mean()))


def warp(cube: Tensor, amplitude: float) -> Tensor:
    """A smooth sub-pixel displacement of up to a few pixels."""
    height, width = cube.shape[1:]
    coarse = torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(9))
    field = amplitude * functional.interpolate(coarse, size=(height, width), mode="bicubic")[0]
    y = torch.arange(height)[:, None] + field[0]
    x = torch.arange(width)[None] + field[1]
    grid = torch.stack(((2 * x + 1) / width - 1, (2 * y + 1) / height - 1), -1)[None]
    return functional.grid_sample(cube[None], grid, padding_mode="border", align_corners=False)[0]


@pytest.fixture(scope="module")
def scene() -> Tensor:
    return smooth_cube(8, 48, 52, seed=4)


def test_a_known_warp_is_recovered_in_every_band(scene: Tensor) -> None:
    truth = warp(scene, 2.0)
    operator = SpectralTransfer(steps=100).estimate(scene[:3], truth[:3])
    moved = operator.apply(scene)
    assert psnr(moved, truth) > psnr(scene, truth) + 12
    assert psnr(moved, truth) > 38
    assert psnr(operator.apply(scene[:3]), truth[:3]) > 42
    assert (operator.row_sums() - 1).abs().max() < 1e-5
    assert int(operator.support().max()) <= 16 * 49


def test_optimisation_improves_on_its_starting_point(scene: Tensor) -> None:
    truth = warp(scene, 2.0)
    start = SpectralTransfer(steps=0).estimate(scene[:3], truth[:3]).apply(scene)
    end = SpectralTransfer(steps=60).estimate(scene[:3], truth[:3]).apply(scene)
    assert psnr(end, truth) > psnr(start, truth) + 3


def test_a_tinted_guide_keeps_the_proxy_spectra(scene: Tensor) -> None:
    truth = warp(scene, 2.0)
    tinted = (truth[:3] * torch.tensor([1.06, 0.97, 0.95]).view(3, 1, 1)).clamp(0, 1)
    moved = SpectralTransfer(steps=100).estimate(scene[:3], tinted).apply(scene)
    angle = torch.rad2deg(functional.cosine_similarity(moved, truth, dim=0).clamp(-1, 1).acos()).mean()
    assert float(angle) < 3.0
    assert psnr(moved, truth) > 28


def test_many_guides_share_the_index_and_change_nothing(scene: Tensor) -> None:
    guides = torch.stack((warp(scene, 1.0)[:3], scene[:3].flip(2)))
    transfer = SpectralTransfer(steps=4)
    done: list[int] = []
    together = transfer.estimate_many(scene[:3], guides, done.append)
    assert done == list(range(1, 9))
    for operator, guide in zip(together, guides, strict=True):
        assert torch.equal(operator.apply(scene), transfer.estimate(scene[:3], guide).apply(scene))


def test_settings_name_everything_and_survive_json() -> None:
    transfer = SpectralTransfer(weights=LossWeights(ssim=0.25), retrieval=Retrieval(engine="torch"))
    settings = json.loads(json.dumps(transfer.settings()))
    assert settings["weights"]["ssim"] == 0.25
    assert settings["retrieval"]["engine"] == "torch"
    published = {"kernel_size": 7, "learning_rate": 0.05, "temperature": 1.0}
    assert published.items() <= settings["estimation"].items()
    assert (settings["seeds"], settings["candidates"], settings["steps"]) == (16, 16, 200)
    assert transfer.settings() != SpectralTransfer().settings()


def test_wrong_settings_are_sentences() -> None:
    with pytest.raises(ValueError, match="kernel_size must be a positive odd number of pixels, got 6"):
        SpectralTransfer(kernel_size=6)
    with pytest.raises(ValueError, match="candidates must be at least 1, got 0"):
        SpectralTransfer(candidates=0)


def test_wrong_images_are_sentences(scene: Tensor) -> None:
    transfer = SpectralTransfer(steps=1)
    with pytest.raises(
        ValueError, match="guides of the same size, got a proxy of 3 x 48 x 52 and guides of 3 x 48 x 51"
    ):
        transfer.estimate(scene[:3], scene[:3, :, :51])
    with pytest.raises(ValueError, match="got a guide with NaN or infinite values"):
        transfer.estimate(scene[:3], torch.full_like(scene[:3], torch.nan))
