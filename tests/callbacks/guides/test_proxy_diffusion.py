"""ProxyDiffusionGuides: training, resuming, files, and what its guides look like, on a tiny UNet."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from skimage import data
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from callbacks.guides import PhotometricGuides, ProxyDiffusionGuides
from callbacks.guides.denoiser_training import FINISHED, UNFINISHED
from hyperalign.seeding import generator_for

TINY: dict[str, Any] = {"channels": (8,), "patch_size": 16, "batch_size": 4, "training_steps": 8, "steps": 10}


class StoppedError(Exception):
    """What the tests raise to interrupt a training."""


def proxies() -> list[Tensor]:
    """Two small photographs, linear in light, of different odd sizes."""
    pictures = (data.astronaut()[:240:5, 100:340:5], data.coffee()[50:350:6, 100:400:6])
    images = [(torch.from_numpy(picture.copy()).permute(2, 0, 1).float() / 255.0) ** 2.2 for picture in pictures]
    return [images[0][:, :47], images[1]]


def similarities(guides: Tensor, proxy: Tensor) -> list[float]:
    """SSIM of every guide against the proxy."""
    scores = structural_similarity_index_measure(guides, proxy.expand_as(guides), data_range=1.0, reduction="none")
    assert isinstance(scores, Tensor)
    return scores.tolist()


def weights(guides: ProxyDiffusionGuides) -> dict[str, Tensor]:
    assert guides._denoiser is not None
    return guides._denoiser.network.state_dict()


def fitted(folder: Path, **changed: object) -> ProxyDiffusionGuides:
    guides = ProxyDiffusionGuides(**{**TINY, **changed})
    guides.fit(proxies(), 3, folder)
    return guides


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> ProxyDiffusionGuides:
    folder = tmp_path_factory.mktemp("guides")
    return fitted(folder, channels=(16,), batch_size=8, training_steps=200, learning_rate=5e-3, ema_decay=0.95)


def test_training_is_seeded_and_leaves_the_global_random_state(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    first, again = fitted(tmp_path / "1"), fitted(tmp_path / "2")
    assert torch.equal(torch.get_rng_state(), before)
    assert same(weights(first), weights(again))
    other = ProxyDiffusionGuides(**TINY)
    other.fit(proxies(), 4, tmp_path / "3")
    assert not same(weights(first), weights(other))


def test_an_interrupted_training_ends_in_the_same_bits(tmp_path: Path) -> None:
    whole = fitted(tmp_path / "whole")
    interrupted = ProxyDiffusionGuides(**TINY, checkpoint_every=3)

    def stop(step: int) -> None:
        if step == 5:
            raise StoppedError

    with pytest.raises(StoppedError):
        interrupted.fit(proxies(), 3, tmp_path / "cut", stop)
    assert [path.name for path in (tmp_path / "cut").iterdir()] == [UNFINISHED]
    steps: list[int] = []
    interrupted.fit(proxies(), 3, tmp_path / "cut", steps.append)
    assert steps == [4, 5, 6, 7, 8]
    assert same(weights(whole), weights(interrupted))
    assert [path.name for path in (tmp_path / "cut").iterdir()] == [FINISHED]


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


def test_the_seconds_of_an_interrupted_training_count_too(tmp_path: Path) -> None:
    guides = ProxyDiffusionGuides(**TINY, checkpoint_every=3)
    assert guides.fit_seconds == 0.0

    def stop(step: int) -> None:
        if step == 5:
            raise StoppedError

    with pytest.raises(StoppedError):
        guides.fit(proxies(), 3, tmp_path, stop)
    kept = torch.load(tmp_path / UNFINISHED, weights_only=True)["seconds"]
    guides.fit(proxies(), 3, tmp_path)
    assert guides.fit_seconds > kept > 0.0


@pytest.mark.parametrize("change", ["settings", "proxies", "seed"])
def test_other_settings_proxies_or_seed_are_trained_anew(tmp_path: Path, change: str) -> None:
    fitted(tmp_path)
    images, steps = proxies(), list[int]()
    if change == "proxies":
        images[0] = images[0] * 0.99
    other = ProxyDiffusionGuides(**{**TINY, "learning_rate": 1e-3} if change == "settings" else TINY)
    other.fit(images, 4 if change == "seed" else 3, tmp_path, steps.append)
    assert steps == list(range(1, 9))


def test_sampling_settings_do_not_train_anew(tmp_path: Path) -> None:
    fitted(tmp_path)
    steps: list[int] = []
    ProxyDiffusionGuides(**{**TINY, "steps": 9}, temperature=0.3, checkpoint_every=5).fit(
        proxies(), 3, tmp_path, steps.append
    )
    assert steps == [8]


@pytest.mark.parametrize("damage", ["truncated", "garbage", "flipped"])
def test_a_damaged_file_is_trained_again_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    first = fitted(tmp_path)
    path = tmp_path / FINISHED
    content = bytearray(path.read_bytes())
    if damage == "truncated":
        content = content[: len(content) // 2]
    elif damage == "garbage":
        content = bytearray(b"not a checkpoint")
    else:
        content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        again = fitted(tmp_path)
    assert "is damaged" in caplog.text
    assert same(weights(first), weights(again))


def test_a_loss_that_is_not_finite_stops_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guides = ProxyDiffusionGuides(**TINY, checkpoint_every=1)
    monkeypatch.setattr(
        "callbacks.guides.denoiser_training.functional.mse_loss", lambda output, target: output.sum() * float("nan")
    )
    with pytest.raises(FloatingPointError, match=r"became nan .* at step 0 of 8: lower the guides' learning_rate"):
        guides.fit(proxies(), 3, tmp_path)
    assert list(tmp_path.iterdir()) == []


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
