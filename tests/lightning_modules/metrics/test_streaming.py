"""Streaming over batches, repeated scenes and several processes give the mean over scenes."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.distributed
from torchmetrics import MetricCollection

from lightning_modules.metrics import MetricProtocol, SceneMean, latest_scores, streaming
from lightning_modules.metrics.streaming import given_scores

NAMES = ["a", "b", "c", "d", "e"]


def scenes() -> tuple[torch.Tensor, torch.Tensor]:
    """Five restored cubes and their targets."""
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(5, 3, 14, 13, generator=generator)
    noise = torch.linspace(0.01, 0.2, 5).view(5, 1, 1, 1)
    return target + noise * torch.randn(target.shape, generator=generator), target


def expected() -> dict[str, float]:
    """Plain mean of the scenes' scores."""
    scores = [MetricProtocol().evaluate(x, y) for x, y in zip(*scenes(), strict=True)]
    return {f"val/{name}": sum(one[name] for one in scores) / 5 for name in scores[0]}


def computed(metrics: MetricCollection) -> dict[str, float]:
    """The collection's values as plain numbers."""
    return {name: float(value) for name, value in metrics.compute().items()}


@pytest.mark.parametrize("size", [1, 2, 5])
def test_streaming_equals_the_mean_over_scenes(size: int) -> None:
    metrics = MetricProtocol().collection("val/")
    restored, target = scenes()
    for start in range(0, 5, size):
        part = slice(start, start + size)
        metrics.update(restored[part], target[part], names=NAMES[part])
    assert computed(metrics) == pytest.approx(expected(), rel=1e-12)
    metrics.reset()
    metrics.update(restored[:1], target[:1])
    assert computed(metrics)["val/psnr"] == pytest.approx(MetricProtocol().evaluate(restored[0], target[0])["psnr"])


def test_a_repeated_scene_counts_once_and_unnamed_ones_always() -> None:
    restored, target = scenes()
    metrics = MetricProtocol().collection("val/")
    metrics.update(restored, target, names=NAMES)
    metrics.update(restored[:2], target[:2], names=NAMES[:2])
    assert computed(metrics) == pytest.approx(expected(), rel=1e-12)
    unnamed = SceneMean(lambda x, _: float(x.mean()))
    for value in (1.0, 2.0, 2.0, 3.0):
        unnamed.update(torch.full((1, 1, 2, 2), value), torch.zeros(1, 1, 2, 2))
    assert float(unnamed.compute()) == 2.0


def test_latest_scores_are_those_of_the_last_batch() -> None:
    restored, target = scenes()
    metrics = MetricProtocol().collection("test/")
    metrics.update(restored[:3], target[:3], names=NAMES[:3])
    metrics.update(restored[3:], target[3:], names=NAMES[3:])
    assert latest_scores(metrics) == [
        pytest.approx(MetricProtocol().evaluate(x, y), rel=1e-12) for x, y in zip(restored[3:], target[3:], strict=True)
    ]


def test_scores_that_begin_alike_stay_apart() -> None:
    restored, target = scenes()
    metrics = MetricProtocol().collection()
    metrics.update(target, target)
    metrics.update(restored, target)
    expected_ergas = sum(MetricProtocol().score("ergas", x, y) for x, y in zip(restored, target, strict=True)) / 10
    assert computed(metrics)["ergas"] == pytest.approx(expected_ergas, rel=1e-12)
    known = given_scores(("one", "other"), "test/")
    for row in ([0.5, 0.5], [1.0, 2.0]):
        known.update(torch.tensor([row]), torch.tensor([row]))
    assert computed(known) == {"test/one": 0.75, "test/other": 1.25}


def test_names_become_numbers_of_63_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [streaming._key(str(number)) for number in range(100)]
    assert 2**62 < max(keys) < 2**63
    assert streaming._key("") == 0
    monkeypatch.setattr(hashlib, "sha256", lambda _: SimpleNamespace(digest=lambda: bytes(32)))
    assert streaming._key("a") > 0


def test_an_empty_metric_is_nan_and_keeps_no_state_in_checkpoints() -> None:
    metrics = MetricProtocol().collection()
    assert not metrics.state_dict()
    with pytest.warns(UserWarning, match="compute"):
        assert torch.isnan(metrics["psnr"].compute())


def test_counts_that_differ_give_a_sentence() -> None:
    restored, target = scenes()
    with pytest.raises(ValueError, match="5 restored cubes, 5 targets and 2 scene names do not belong together"):
        MetricProtocol().collection().update(restored, target, names=["a", "b"])


def _one_process(rank: int, shares: list[list[int]], store: str, results: str) -> None:
    """Score one process's share of the scenes."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    restored, target = scenes()
    metrics = MetricProtocol().collection("val/")
    for index in shares[rank]:
        metrics.update(restored[index : index + 1], target[index : index + 1], names=NAMES[index : index + 1])
    torch.save(computed(metrics), f"{results}.{rank}")
    torch.distributed.destroy_process_group()


# the second process repeats a scene, as distributed samplers do, or has none
@pytest.mark.parametrize("shares", [[[0, 2, 4], [1, 3, 0]], [[0, 1, 2, 3, 4], []]])
def test_two_processes_give_the_same_means_as_one(tmp_path: Path, shares: list[list[int]]) -> None:
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    fork = multiprocessing.get_context("fork")
    processes = [
        fork.Process(target=_one_process, args=(rank, shares, str(tmp_path / "store"), str(tmp_path / "result")))
        for rank in (0, 1)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=300)
        assert process.exitcode == 0
    restored, target = scenes()
    metrics = MetricProtocol().collection("val/")
    metrics.update(restored, target, names=NAMES)
    for rank in (0, 1):
        assert torch.load(tmp_path / f"result.{rank}", weights_only=True) == computed(metrics)


def test_what_is_said_of_it_is_true() -> None:
    assert SceneMean.is_differentiable is False
    assert SceneMean.full_state_update is False
