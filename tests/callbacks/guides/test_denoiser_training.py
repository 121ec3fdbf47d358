"""Training the denoising UNet: seeds, interruptions, files, and the loss that stops it."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import pytest
import torch

from callbacks.guides import ProxyDiffusionGuides
from callbacks.guides.denoiser_training import (
    FINISHED,
    UNFINISHED,
    DenoiserTraining,
    _content_digest,
    _Trainer,
    training_digest,
)
from callbacks.guides.sdedit import Diffusion
from tests.callbacks.guides.tiny_diffusion import TINY, StoppedError, fitted, proxies, same, weights


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


def test_the_learning_rate_warms_up_and_falls_to_a_twentieth() -> None:
    trainer = _Trainer(DenoiserTraining(channels=(8,), training_steps=200, learning_rate=1e-3), proxies(), 0)
    rates = []
    for trainer.step in (0, 4, 9, 100, 199, 200):
        rates.append(trainer.learning_rate())
    cosine = [1e-3 * (0.05 + 0.475 * (1 + math.cos(math.pi * step / 200))) for step in (100, 199, 200)]
    assert rates == pytest.approx([1e-4, 5e-4, cosine_at(9), *cosine], rel=1e-12)
    assert rates[-1] == pytest.approx(5e-5)


def cosine_at(step: int) -> float:
    """The rate of 200 steps after the warm-up, which at step 9 has just ended."""
    return 1e-3 * (0.05 + 0.475 * (1 + math.cos(math.pi * step / 200)))


def test_a_digest_says_everything_that_makes_the_weights() -> None:
    training, images = DenoiserTraining(), [torch.rand(3, 4, 6), torch.rand(3, 2, 2)]
    digest = training_digest(training, images, 0)
    assert len(digest) == 64
    assert training_digest(DenoiserTraining(checkpoint_every=7), [image.clone() for image in images], 0) == digest
    others = [
        training_digest(training, images, 1),
        training_digest(training, images[::-1], 0),
        training_digest(training, [images[0].view(3, 6, 4), images[1]], 0),
        training_digest(training, [images[0] + 1e-6, images[1]], 0),
        training_digest(DenoiserTraining(ema_decay=0.9), images, 0),
        training_digest(DenoiserTraining(diffusion=Diffusion(timesteps=500)), images, 0),
    ]
    assert len({digest, *others}) == 7


def test_the_content_digest_sees_dtype_shape_key_and_order() -> None:
    value = torch.arange(6.0)
    contents: list[object] = [
        {"a": value},
        {"b": value},
        {"a": value.view(2, 3)},
        {"a": value.double()},
        {"a": value, "step": 1},
        [value, 1],
        [1, value],
    ]
    assert len({_content_digest(content) for content in contents}) == len(contents)
    assert _content_digest({"a": value}) == _content_digest({"a": value.clone()})
