"""Pairs in tiles: which come, what is told of one that cannot be used, and what the task is without one."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from datamodules import FusionObservation
from datamodules.captions import write_captions
from datamodules.pairs import streaming
from datamodules.pairs.streaming import StreamedPairs
from datamodules.sampling.tile_stream import TileStream, Tiling
from hyperalign.captions import Region, RegionCaption, Window
from tests.datamodules.pairs.arrays import BANDS, pairs, values, write_pair

TILES = Tiling(4, lambda length, _: range(0, length, 4), 2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pairs of ratio 2, 8 x 8 hyperspectral pixels."""
    for number, name in enumerate("abc"):
        write_pair(tmp_path, name, values(3, 8, 8, number), values(2, 16, 16, 10 + number))
    return tmp_path


def tiles_of(stream: TileStream) -> list[tuple[str, tuple[int, int, int]]]:
    return [(name, place) for batch in stream for name, place in zip(batch["name"], batch["tiles"], strict=True)]


def test_pairs_come_in_tiles_of_both_images(folder: Path) -> None:
    data = pairs(folder, trained_wavelengths=BANDS, scale=4.0)
    data.stream(TILES, lambda scene: scene.name != "b.npy")
    stream = data.predict_dataloader()
    places = [(top, left) for top in (0, 4) for left in (0, 4)]
    assert tiles_of(stream) == [
        *(("a.npy", (0, *place)) for place in places),
        *(("c.npy", (2, *place)) for place in places),
    ]
    first = next(iter(stream))
    assert torch.equal(first["observation"][1], torch.from_numpy(values(3, 8, 8, 0)[:, :4, 4:] / np.float32(4)))
    assert torch.equal(first["multispectral"][1], torch.from_numpy(values(2, 16, 16, 10)[:, :8, 8:] / np.float32(4)))
    assert data.delivers == ("observation", "multispectral", "caption")


@pytest.mark.parametrize("names", [("a", "b", "c"), ("a.npy", "b.npy", "c.npy")], ids=["stems", "as messages say"])
def test_captions_are_found_by_stem_and_by_the_name_that_messages_use(names: tuple[str, ...], folder: Path) -> None:
    captions = {name: f"words on {name[0]}" for name in names}
    write_captions(folder / "captions.json", "FusionPair", captions)
    data = pairs(folder, captions=str(folder / "captions.json"))
    scenes, _ = data.open_scenes()
    assert [(scene.name, scene.caption) for scene in scenes] == [(f"{one}.npy", f"words on {one}") for one in "abc"]


def test_tiles_of_a_pair_are_told_what_they_show(folder: Path) -> None:
    captions = {"a": RegionCaption("fields", [Region(Window(0, 0, 8, 8), "a pond")]), "b": "a town", "c": "a road"}
    write_captions(folder / "captions.json", "FusionPair", captions)
    data = pairs(folder, trained_wavelengths=BANDS, captions=str(folder / "captions.json"))
    data.stream(TILES, lambda _: True)
    told = [
        (place[1:], caption)
        for batch in data.predict_dataloader()
        for place, caption in zip(batch["tiles"], batch["caption"], strict=True)
        if place[0] == 0
    ]
    assert told[0] == ((0, 0), "a pond")
    assert told[-1] == ((4, 4), "fields")


def test_ranks_share_the_pairs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    for rank in range(2):
        monkeypatch.setattr(streaming, "world", lambda rank=rank: (2, rank))
        data = pairs(folder, trained_wavelengths=BANDS)
        data.stream(None, lambda _: True)
        seen.append([name for name, _ in tiles_of(data.predict_dataloader())])
    assert seen == [["a.npy", "c.npy"], ["b.npy"]]


def test_a_pair_that_cannot_be_used_is_named_and_the_others_go_on(folder: Path) -> None:
    write_pair(folder, "b", values(3, 8, 8), values(2, 15, 16))
    data = pairs(folder, trained_wavelengths=BANDS)
    data.stream(None, lambda _: True)
    assert [name for name, _ in tiles_of(data.predict_dataloader())] == ["a.npy", "c.npy"]
    assert list(data.failures) == ["b"]
    assert "15" in data.failures["b"]
    with pytest.raises(ValueError, match=r"^1 cube could not be fused \(b: "):
        pairs(folder, trained_wavelengths=BANDS).predict_dataloader()  # nobody would tell of it


def test_the_only_pair_raises_what_is_wrong_with_it(tmp_path: Path) -> None:
    write_pair(tmp_path, "a", values(3, 8, 8), values(2, 15, 16))
    data = pairs(tmp_path, trained_wavelengths=BANDS)
    data.stream(None, lambda _: True)
    with pytest.raises(ValueError, match="'a'"):
        data.predict_dataloader()


def test_a_pair_damaged_on_the_way_is_noted_where_there_are_others(folder: Path) -> None:
    data = pairs(folder, trained_wavelengths=BANDS)
    data.stream(None, lambda _: True)
    data.predict_dataloader()
    error = OSError("a.npy cannot be read on.")
    data.fail(data.streamed[0], error)
    assert data.failures == {"a.npy": "a.npy cannot be read on."}
    alone = pairs(folder, trained_wavelengths=BANDS)
    with pytest.raises(OSError, match="cannot be read on"):
        alone.fail(data.streamed[0], error)


def test_a_network_of_unknown_bands_is_asked_about(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"^The checkpoint does not record the wavelengths .*trained_wavelengths"):
        pairs(folder).predict_dataloader()
    scenes, failures = pairs(folder).open_scenes((*BANDS, 800.0))
    assert (scenes, list(failures)) == ((), ["a", "b", "c"])
    assert all("3 bands" in sentence and "4" in sentence for sentence in failures.values())


def test_without_a_task_the_pairs_are_reduced_by_their_own_ratio(folder: Path, tmp_path: Path) -> None:
    task = pairs(folder).degradation
    assert isinstance(task, FusionObservation)
    assert (task.scale, task.response) == (2, None)
    assert abs(task.phase - 0.5) < 1e-12
    given = FusionObservation(4, "block_mean", response=None)
    assert pairs(folder, degradation=given).degradation is given
    write_pair(tmp_path / "same", "a", values(3, 8, 8), values(2, 8, 8))
    with pytest.raises(ValueError, match=r"^Both images of 'a' have the same pixels.*data\.degradation\.ratio\.$"):
        _ = pairs(tmp_path / "same").degradation


def test_a_response_of_other_channels_and_files_without_wavelengths_are_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"^The response nikon_d700 has 3 channels but .* of 'a' has 2: set"):
        _ = pairs(folder, response="nikon_d700").degradation
    with pytest.raises(
        ValueError, match=r"^Nobody says the wavelengths of .*a_hs\.npy: give the centre of each of its 3"
    ):
        _ = pairs(folder, wavelengths=None).wavelengths


def test_a_pair_is_estimated_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []

    class Found:
        shift = (0.25, -1.5)

        def described(self) -> str:
            return "so and so"

    def estimate(*images: Any) -> Found:  # noqa: ANN401
        calls.append(images)
        return Found()

    monkeypatch.setattr(streaming, "estimate_sensors", estimate)
    data: StreamedPairs = pairs(folder, register=True)
    assert data.shift(data.opened("a")) == data.shift(data.opened("a")) == (0.25, -1.5)
    assert len(calls) == 1
    assert calls[0][2] == 2
    assert pairs(folder).shift(data.opened("a")) == (0.0, 0.0)
    assert len(calls) == 1


@pytest.mark.parametrize(("shift", "told"), [((1.9, -0.4), False), ((2.0, -0.4), True), ((0.0, -6.3), True)])
def test_ground_that_a_shift_leaves_without_spectra_is_told(
    shift: tuple[float, float],
    told: bool,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = SimpleNamespace(shift=shift, described=lambda: "so and so")
    monkeypatch.setattr(streaming, "estimate_sensors", lambda *_: found)
    data = pairs(folder, register=True)
    data.shift(data.opened("a"))
    rows, columns = (math.ceil(abs(one)) for one in shift)
    sentence = f"the hyperspectral image of a ends {rows} rows and {columns} columns inside of the multispectral one"
    assert (sentence in caplog.text) is told


def test_a_region_outside_of_the_multispectral_image_is_one_sentence(folder: Path) -> None:
    beside = RegionCaption("fields", [Region(Window(400, 0, 8, 8), "a pond")])
    write_captions(folder / "captions.json", "FusionPair", {"a": beside, "b": "a town", "c": "a road"})
    _, failures = pairs(folder, captions=str(folder / "captions.json")).open_scenes()
    assert list(failures) == ["a"]
    assert "The region [400, 0, 8, 8] of the caption of a (a pond) lies outside of its" in failures["a"]
