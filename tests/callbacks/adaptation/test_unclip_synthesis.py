"""Stage (ii) with the paper's generator: a tiny pipeline saved to disk, batches over scenes and ranks, the store."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import pytest
import torch
from torch import Tensor

from callbacks.adaptation.synthesised_scenes import Synthesised, proxy_rgb, synthesise
from callbacks.guides import Guides, PhotometricGuides, UnCLIPGuides
from datamodules import MappedScene, generator_for
from tests.callbacks.guides.tiny_unclip import saved_pipeline, tiny_encoder
from tests.callbacks.tiny import WAVELENGTHS, MiniScenes, NumberedRanks, store_files, tiny_transfer

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

T = TypeVar("T")
SIZES = {"amber": (24, 19), "birch": (21, 24), "coral": (24, 19)}


class WatchedUnCLIP(UnCLIPGuides):
    """Notes how many guides are asked for together."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401
        super().__init__(*arguments, **named)
        self.asked: list[int] = []

    def many(self, requests: Sequence[tuple[Tensor, torch.Generator]]) -> list[Tensor]:
        self.asked.append(len(requests))
        return super().many(requests)

    def settings(self) -> dict[str, Any]:
        return super().settings() | {"class": "UnCLIPGuides"}


class LonelyRanks(NumberedRanks):
    """One of several processes, which finds out by itself what the first one would tell."""

    def first(self, work: Callable[[], T]) -> T:
        return work()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline and an encoder, saved as a user's are."""
    root = tmp_path_factory.mktemp("unclip")
    saved_pipeline(root / "pipeline")
    tiny_encoder(seed=7).save_pretrained(root / "encoder")
    return root


@pytest.fixture
def proxies(tmp_path: Path) -> list[MappedScene]:
    """Scenes of two odd sizes."""
    data, found = MiniScenes(cache=str(tmp_path / "cache")), []
    for name, (height, width) in SIZES.items():
        np.save(tmp_path / f"{name}.npy", data.read_scene(name).cube[:, :height, :width].numpy())
        found.append(MappedScene(name, tmp_path / f"{name}.npy", WAVELENGTHS, f"the scene {name}"))
    return found


def watched(folder: Path, at_once: int = 4, **changes: Any) -> WatchedUnCLIP:  # noqa: ANN401
    given = {"image_encoder": str(folder / "encoder"), "prompt": "sharp", "negative_prompt": "blur", "steps": 4}
    return WatchedUnCLIP(str(folder / "pipeline"), **(given | changes), guides_at_once=at_once, local_files_only=True)


def made_by(guides: Guides, proxies: Sequence[MappedScene], root: Path, **changes: Any) -> list[Synthesised]:  # noqa: ANN401
    return synthesise(guides, tiny_transfer(), proxies, root, **({"ratio": 3, "seed": 3} | changes))


def facts(one: Synthesised) -> dict[str, Any]:
    """What the store says of a guide."""
    (manifest,) = [path for path in one.guide.parent.glob("*.json") if one.guide.name.startswith(f"{path.stem}.")]
    metadata: dict[str, Any] = json.loads(manifest.read_text())["metadata"]
    return metadata


def test_the_whole_stage_from_a_saved_pipeline(folder: Path, proxies: list[MappedScene], tmp_path: Path) -> None:
    guides = watched(folder)
    made = made_by(guides, proxies, tmp_path / "store")
    # Nine guides: those of equal size beside each other.
    assert guides.asked == [4, 4, 1]
    assert guides._parts is None
    assert len(made) == 9
    for one in made:
        guide = np.load(one.guide)
        assert guide.shape == (3, *SIZES[one.proxy.name])
        assert guide.dtype == np.float32
        assert 0 <= float(guide.min()) < float(guide.max()) <= 1
        assert one.scene.shape == (8, *SIZES[one.proxy.name])
        assert np.isfinite(np.load(one.scene.path)).all()
    for proxy in proxies:
        drawn = [np.load(one.guide) for one in made if one.proxy is proxy]
        assert min(np.abs(drawn[a] - drawn[b]).mean() for a, b in ((0, 1), (0, 2), (1, 2))) > 0.005
    seeds = [facts(one)["seed"] for one in made]
    assert seeds[4] == generator_for(3, "guides", 0, "birch", 1).initial_seed()
    assert len(set(seeds)) == 9
    assert min(facts(one)["seconds"] for one in made) > 0
    # The recorded seed alone makes the guide again.
    again = guides(proxy_rgb(proxies[1]), 1, torch.Generator().manual_seed(seeds[4]))[0]
    torch.testing.assert_close(again, torch.from_numpy(np.load(made[4].guide)), atol=1e-5, rtol=0)


def test_a_resumed_run_draws_what_is_missing_and_reads_no_weights_if_nothing_is(
    folder: Path, proxies: list[MappedScene], tmp_path: Path
) -> None:
    made = made_by(watched(folder), proxies, tmp_path / "store")
    before = store_files(tmp_path / "store")
    finished = watched(folder, at_once=2)
    made_by(finished, proxies, tmp_path / "store")
    assert finished.asked == []
    kept = np.load(made[4].guide)
    made[4].guide.unlink()
    missing = watched(folder)
    again = made_by(missing, proxies, tmp_path / "store")
    assert missing.asked == [1]
    np.testing.assert_allclose(np.load(again[4].guide), kept, atol=1e-5)
    assert len(store_files(tmp_path / "store")) == len(before)


def test_ranks_take_neighbouring_guides_and_make_the_same(
    folder: Path, proxies: list[MappedScene], tmp_path: Path
) -> None:
    straight = made_by(watched(folder), proxies, tmp_path / "one", ratio=2)
    asked = []
    for rank in range(2):
        # A rank alone finds, at the end, that the other's guides are missing.
        guides = watched(folder, at_once=2)
        with pytest.raises(OSError, match="cannot be read"):
            made_by(guides, proxies, tmp_path / f"{rank}", ratio=2, ranks=LonelyRanks(rank, 2))
        asked.append(guides.asked)
    assert asked == [[2, 1], [2, 1]]
    by_name = {facts(one)["seed"]: np.load(one.guide) for one in straight}
    found = {}
    for manifest in tmp_path.glob("[01]/guides-*/*/*.json"):
        record = json.loads(manifest.read_text())
        found[record["metadata"]["seed"]] = np.load(manifest.parent / record["file"])
    assert found.keys() == by_name.keys()
    for seed, guide in found.items():
        np.testing.assert_allclose(guide, by_name[seed], atol=1e-5)


def test_guides_without_batches_come_out_as_before(proxies: list[MappedScene], tmp_path: Path) -> None:
    guides = PhotometricGuides(displacement=2)
    for one in made_by(guides, proxies, tmp_path / "store", ratio=2):
        number = int(one.scene.name[-1])
        expected = guides(proxy_rgb(one.proxy), 1, generator_for(3, "guides", 0, one.proxy.name, number))[0]
        assert np.array_equal(np.load(one.guide), expected.numpy())


def test_guides_that_another_run_made_meanwhile_are_not_made_again(proxies: list[MappedScene], tmp_path: Path) -> None:
    class OvertakenGuides(PhotometricGuides):
        asked: ClassVar[list[int]] = []

        def many(self, requests: Sequence[tuple[Tensor, torch.Generator]]) -> list[Tensor]:
            self.asked.append(len(requests))
            made_by(PhotometricGuides(), proxies, tmp_path / "store", ratio=1)
            return super().many(requests)

        def settings(self) -> dict[str, Any]:
            return PhotometricGuides().settings()

    made_by(OvertakenGuides(), proxies, tmp_path / "store", ratio=1)
    assert OvertakenGuides.asked == [1]
