"""What a proxy is, when it is computed, and what is refused."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from callbacks.adaptation.proxies import make_proxies
from callbacks.adaptation.store import StoreError
from datamodules import MappedScene, Observation
from tests.callbacks.tiny import (
    WAVELENGTHS,
    store_files,
)


class Counting(nn.Module):
    """Halves the observation and counts how often it is asked."""

    def __init__(self, factor: float = 0.5) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor([factor]))
        self.calls = 0

    def forward(self, observation: Tensor) -> Tensor:
        self.calls += 1
        return self.factor * observation


def observation(name: str, value: float = 0.5) -> Observation:
    ramp = torch.linspace(0, value, 8 * 20 * 18).view(8, 20, 18)
    return Observation(name, ramp, WAVELENGTHS, f"caption of {name}")


def proxies_of(network: nn.Module, root: Path, *names: str, **changes: Any) -> list[MappedScene]:  # noqa: ANN401
    settings: dict[str, Any] = {"degradation": {"class": "none"}}
    return make_proxies(network, [observation(name) for name in names], root, **(settings | changes))


def test_a_proxy_is_the_restored_whole_scene(tmp_path: Path) -> None:
    network = Counting(3.0).train()
    proxies = proxies_of(network, tmp_path, "a", "b/c")
    assert [proxy.name for proxy in proxies] == ["a", "b/c"]
    assert proxies[0].wavelengths == WAVELENGTHS
    assert proxies[0].caption == "caption of a"
    assert torch.equal(proxies[0].load().cube, (3 * observation("a").cube).clamp(0, 1))
    assert network.calls == 2
    assert not network.training


def test_clamp_is_a_choice(tmp_path: Path) -> None:
    (free,) = proxies_of(Counting(3.0), tmp_path, "a", clamp=False)
    assert float(free.load().cube.max()) == 1.5


def test_finished_proxies_are_not_computed_twice(tmp_path: Path) -> None:
    first = proxies_of(Counting(), tmp_path, "a", "b")
    network = Counting()
    again = proxies_of(network, tmp_path, "a", "b")
    assert network.calls == 0
    assert [proxy.path for proxy in again] == [proxy.path for proxy in first]


def test_a_damaged_proxy_alone_is_computed_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = proxies_of(Counting(), tmp_path, "a", "b")
    before = store_files(tmp_path)
    first[1].path.write_bytes(first[1].path.read_bytes()[:-4])
    network = Counting()
    with caplog.at_level(logging.WARNING):
        proxies_of(network, tmp_path, "a", "b")
    assert network.calls == 1
    assert "b is damaged" in caplog.text
    assert store_files(tmp_path) == before


class Renamed(Counting):
    """The same weights, another use."""


@pytest.mark.parametrize(
    ("network", "changes"),
    [
        (Counting(0.25), {}),
        (Renamed(), {}),
        (Counting(), {"degradation": {"class": "noise"}}),
        (Counting(), {"clamp": False}),
        (Counting(), {"tile": 16}),
    ],
)
def test_every_setting_has_its_own_proxies(tmp_path: Path, network: Counting, changes: dict[str, Any]) -> None:
    proxies_of(Counting(), tmp_path, "a")
    proxies_of(network, tmp_path, "a", **changes)
    assert network.calls > 0


def test_other_observations_have_other_proxies(tmp_path: Path) -> None:
    network = Counting()
    for value in (0.5, 0.6):
        make_proxies(network, [observation("a", value)], tmp_path, degradation={})
    assert network.calls == 2


@pytest.mark.parametrize(
    ("factor", "cut", "scale", "sentence"),
    [
        (1, 2, 1, r"has 18 x 16 pixels where its observation has 20 x 18: restore as many"),
        (2, 0, 1, r"has 40 x 36 pixels where its observation has 20 x 18: restore as many"),
        (1, 0, 4, r"has 20 x 18 pixels where its observation has 20 x 18: restore 4 times as many a side"),
        (2, 2, None, r"has 38 x 34 pixels where its observation has 20 x 18: restore as many"),
        (2, 0, 2, ""),
        (2, 0, None, ""),
    ],
)
def test_a_proxy_has_as_many_pixels_as_the_task_says(
    tmp_path: Path, factor: int, cut: int, scale: int | None, sentence: str
) -> None:
    class Resized(nn.Module):
        def forward(self, observation: Tensor) -> Tensor:
            large = observation.repeat_interleave(factor, 2).repeat_interleave(factor, 3)
            return large[..., : large.shape[2] - cut, : large.shape[3] - cut]

    with pytest.raises(ValueError, match=sentence) if sentence else nullcontext():
        proxies_of(Resized(), tmp_path, "a", scale=scale)


class Broken(nn.Module):
    def __init__(self, bands: int, value: float) -> None:
        super().__init__()
        self.bands, self.value = bands, value

    def forward(self, observation: Tensor) -> Tensor:
        return observation[:, : self.bands] * self.value


def test_useless_proxies_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^The proxy of scene 'a' holds NaN or infinite values: check the obs"):
        proxies_of(Broken(8, float("nan")), tmp_path, "a")
    with pytest.raises(ValueError, match=r"^The restorer turned scene 'a' of shape \(8, 20, 18\) into shape \(5, 20"):
        proxies_of(Broken(5, 1.0), tmp_path, "a")
    assert store_files(tmp_path) == {}


def test_observations_must_exist_and_have_distinct_names(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^There is no observation to make proxies from: name the observed scenes"):
        proxies_of(Counting(), tmp_path)
    with pytest.raises(ValueError, match=r"^Two observations are called 'a': give every observed scene a name"):
        proxies_of(Counting(), tmp_path, "a", "b", "a")


def test_a_disk_too_small_for_what_is_missing_is_said_before_anything_is_restored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxies_of(Counting(), tmp_path, "a", "b")
    before = store_files(tmp_path)
    # One cube takes 4 x 8 x 20 x 18 bytes, so that there is room for one more and not for two.
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=20_000))
    network = Counting(0.25)
    with pytest.raises(StoreError, match=r"^The proxies need 0\.00 GiB in the store .*: free some space, or choose"):
        proxies_of(network, tmp_path / "other", "a", "b")
    assert (network.calls, store_files(tmp_path)) == (0, before)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=0))
    assert len(proxies_of(Counting(), tmp_path, "a", "b")) == 2
