"""ProxyDiffusionGuides: training, resuming, files, and what its guides look like, on a tiny UNet."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from callbacks.guides import PhotometricGuides, ProxyDiffusionGuides
from callbacks.guides.denoiser_training import FINISHED
from hyperalign.seeding import generator_for
from tests.callbacks.guides.tiny_diffusion import TINY, fitted, proxies


def similarities(guides: Tensor, proxy: Tensor) -> list[float]:
    """SSIM of every guide against the proxy."""
    scores = structural_similarity_index_measure(guides, proxy.expand_as(guides), data_range=1.0, reduction="none")
    assert isinstance(scores, Tensor)
    return scores.tolist()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> ProxyDiffusionGuides:
    folder = tmp_path_factory.mktemp("guides")
    return fitted(folder, channels=(16,), batch_size=8, training_steps=200, learning_rate=5e-3, ema_decay=0.95)


def test_a_finished_training_is_loaded_and_gives_the_same_guides(tmp_path: Path) -> None:
    first = fitted(tmp_path)
    again, steps = ProxyDiffusionGuides(**TINY), list[int]()
    again.fit(proxies(), 3, tmp_path, steps.append)
    assert steps == [first.fit_steps] == [8]
    proxy = proxies()[0]
    assert torch.equal(first(proxy, 2, generator_for(0)), again(proxy, 2, generator_for(0)))
    assert torch.load(tmp_path / FINISHED, weights_only=True).keys() == {"digest", "average", "seconds", "content"}
    assert again.fit_seconds == first.fit_seconds > 0.0


def test_a_batch_of_guides_of_several_sizes_equals_them_one_by_one(tmp_path: Path) -> None:
    guides = ProxyDiffusionGuides(**TINY, guides_at_once=4, photometric=PhotometricGuides(displacement_scale=18.0))
    guides.fit(proxies(), 3, tmp_path)
    images = [proxies()[0], proxies()[1], proxies()[0].flip(-1), proxies()[0]]
    alone = [guides(image, 1, generator_for(index))[0] for index, image in enumerate(images)]
    together = guides.many([(image, generator_for(index)) for index, image in enumerate(images)])
    assert guides.at_once == 4
    for one, other in zip(alone, together, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)
    assert guides.settings() == ProxyDiffusionGuides(**TINY, photometric=guides.photometric).settings()


def test_sampling_settings_do_not_train_anew(tmp_path: Path) -> None:
    fitted(tmp_path)
    steps: list[int] = []
    ProxyDiffusionGuides(**{**TINY, "steps": 9}, temperature=0.3, checkpoint_every=5).fit(
        proxies(), 3, tmp_path, steps.append
    )
    assert steps == [8]


def test_training_learns_to_denoise(trained: ProxyDiffusionGuides) -> None:
    assert trained._denoiser is not None
    network, space = trained._denoiser.network, trained._denoiser.space
    clean = space.encode(proxies()[1][None, :, :48, :48])
    noise = torch.randn(clean.shape, generator=generator_for(9))
    noised = trained.diffusion.noised(clean, noise, torch.tensor([300]))
    with torch.no_grad():
        estimate = trained.diffusion.clean_estimate(network(noised, torch.tensor([300])), noised, 300)
    alpha_bar = trained.diffusion.alpha_bar(300)
    noise_power = (1 - alpha_bar) / alpha_bar
    assert float((estimate - clean).square().mean()) < 0.4 * noise_power


def test_guides_keep_the_layout_and_differ(trained: ProxyDiffusionGuides) -> None:
    for proxy in proxies():
        guides = trained(proxy, 4, generator_for(0))
        assert float(guides.min()) >= 0.0
        assert float(guides.max()) <= 1.0
        similarity = similarities(guides, proxy)
        assert min(similarity) > 0.35
        assert max(similarity) < 0.75
        differences = [float((guides[i] - guides[j]).abs().mean()) for i in range(4) for j in range(i)]
        assert min(differences) > 0.03
        coarse = torch.nn.functional.avg_pool2d(torch.cat([proxy[None], guides]), 8).flatten(1)
        assert float(torch.corrcoef(coarse)[0, 1:].min()) > 0.9


def test_strength_moves_guides_away_from_the_proxy(trained: ProxyDiffusionGuides) -> None:
    proxy, distances = proxies()[0], []
    strength = trained.strength
    for trained.strength in (0.05, 0.15, 0.35):
        distances.append(float((trained(proxy, 2, generator_for(1)) - proxy).abs().mean()))
    trained.strength = strength
    assert distances == sorted(distances)
    assert distances[2] > 1.5 * distances[0]


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (33, 41), (64, 64)])
def test_any_size(trained: ProxyDiffusionGuides, size: tuple[int, int]) -> None:
    guides = trained(torch.rand(3, *size, generator=generator_for(2)), 2, generator_for(3))
    assert guides.shape == (2, 3, *size)
    assert bool(torch.isfinite(guides).all())


def test_proxies_smaller_than_the_patches_can_be_learned(tmp_path: Path) -> None:
    guides = ProxyDiffusionGuides(**TINY)
    guides.fit([torch.rand(3, 5, 9, generator=generator_for(4))], 0, tmp_path)
    assert guides(torch.rand(3, 5, 9, generator=generator_for(5)), 1, generator_for(0)).shape == (1, 3, 5, 9)


def test_sampling_depends_on_the_generator_only(trained: ProxyDiffusionGuides) -> None:
    proxy, before = proxies()[0], torch.get_rng_state()
    first = trained(proxy, 2, generator_for(5))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, trained(proxy, 2, generator_for(5)))
    assert not torch.equal(first, trained(proxy, 2, generator_for(6)))
    assert torch.equal(first[:1], trained(proxy, 1, generator_for(5)))


def test_a_photometric_start_adds_diversity(trained: ProxyDiffusionGuides) -> None:
    proxy = proxies()[1]
    plain = trained(proxy, 2, generator_for(7))
    trained.photometric = PhotometricGuides()
    varied = trained(proxy, 2, generator_for(7))
    trained.photometric = None
    assert float((varied[0] - varied[1]).abs().mean()) > 1.2 * float((plain[0] - plain[1]).abs().mean())


def test_settings_hold_everything_that_changes_the_guides() -> None:
    settings = ProxyDiffusionGuides(photometric=PhotometricGuides(tint=0.1)).settings()
    assert settings["class"] == "ProxyDiffusionGuides"
    assert settings["photometric"]["tint"] == 0.1
    assert settings["training"]["channels"] == [48]
    for change in ({"strength": 0.4}, {"steps": 3}, {"temperature": 1.0}, {"training_steps": 7}, {"timesteps": 500}):
        assert ProxyDiffusionGuides(**change).settings() != ProxyDiffusionGuides().settings()
    assert ProxyDiffusionGuides(checkpoint_every=7).settings() == ProxyDiffusionGuides().settings()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"strength": 0.0}, "argument strength is 0: choose a value between 0.001 and 1"),
        ({"steps": 0}, "argument steps is 0: choose a value at least 1"),
        ({"temperature": 1.5}, "argument temperature is 1.5: choose a value between 0 and 1"),
        ({"channels": (12, 24)}, r"channels is \[12, 24\]: give positive multiples of 8"),
        (
            {"patch_size": 17},
            "patch_size is 17: with these channels and this unshuffle choose a multiple of 2, at least 4",
        ),
    ],
)
def test_arguments_out_of_range(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        ProxyDiffusionGuides(**arguments)


def test_bad_order_and_bad_proxies(tmp_path: Path) -> None:
    guides = ProxyDiffusionGuides(**TINY)
    with pytest.raises(RuntimeError, match="no trained network yet: call fit"):
        guides(torch.rand(3, 8, 8), 1, generator_for(0))
    with pytest.raises(ValueError, match="no proxies to learn from"):
        guides.fit([], 0, tmp_path)
    with pytest.raises(ValueError, match="NaN or infinite"):
        guides.fit([torch.full((3, 8, 8), float("nan"))], 0, tmp_path)
