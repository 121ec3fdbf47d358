"""Cubes of one source beside every proxy: what it is asked, what is stored, what is made again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from callbacks import CubeGenerator
from callbacks.adaptation.generated_scenes import generate_cubes
from datamodules import MappedScene, generator_for
from tests.callbacks.adaptation.noise_cubes import NoiseCubes
from tests.callbacks.tiny import (
    WAVELENGTHS,
    MiniScenes,
)


@pytest.fixture
def two_proxies(tmp_path: Path) -> list[MappedScene]:
    data = MiniScenes(cache=str(tmp_path / "cache"))
    for name in ("amber", "birch"):
        np.save(tmp_path / f"{name}.npy", data.read_scene(name).cube.numpy())
    return [MappedScene(name, tmp_path / f"{name}.npy", WAVELENGTHS, f"the {name}") for name in ("amber", "birch")]


def generate(proxies: Sequence[MappedScene], root: Path, source: CubeGenerator, **changes: Any) -> list[MappedScene]:  # noqa: ANN401
    return [one.scene for one in generate_cubes(source, proxies, root, **({"ratio": 2, "seed": 3} | changes))]


def test_requests_say_everything_and_cubes_are_stored_as_given(two_proxies: list[MappedScene], tmp_path: Path) -> None:
    source = NoiseCubes()
    scenes = generate(two_proxies, tmp_path / "store", source)
    assert [scene.name for scene in scenes] == [f"{name} generated {n}" for name in ("amber", "birch") for n in (0, 1)]
    assert [request.number for request in source.requests] == [0, 2, 1, 3]
    for request, scene, name in zip(source.requests, scenes, ("amber", "amber", "birch", "birch"), strict=True):
        proxy = next(one for one in two_proxies if one.name == name)
        assert torch.equal(request.proxy, proxy.load().cube)
        assert (request.wavelengths, request.caption, request.seed) == (WAVELENGTHS, f"the {name}", 3)
        assert (scene.wavelengths, scene.caption) == (WAVELENGTHS, "")
    generator = generator_for(3, "generated", 0, "birch", 1)
    assert torch.equal(scenes[3].load().cube, torch.rand(8, 20, 20, generator=generator))


def test_the_store_says_seed_seconds_and_shape(two_proxies: list[MappedScene], tmp_path: Path) -> None:
    from callbacks.adaptation.store import Store

    generate(two_proxies, tmp_path, NoiseCubes())
    (folder,) = tmp_path.glob("generated-*")
    store = Store(tmp_path, folder.name)
    metadata = store.read("birch/1").metadata
    assert (metadata["seed"], metadata["number"], metadata["shape"]) == (3, 3, [8, 20, 20])
    assert metadata["seconds"] >= 0


def test_only_what_is_missing_or_damaged_is_made(two_proxies: list[MappedScene], tmp_path: Path) -> None:
    first = generate(two_proxies, tmp_path, NoiseCubes())
    source = NoiseCubes()
    assert generate(two_proxies, tmp_path, source) == first
    assert source.requests == []
    more = generate(two_proxies, tmp_path, source, ratio=3)
    assert [request.number for request in source.requests] == [4, 5]
    assert [one for one in more if not one.name.endswith("2")] == first
    kept = first[1].path.read_bytes()
    first[1].path.write_bytes(kept[:-4] + b"\0\0\0\0")
    again = NoiseCubes()
    generate(two_proxies, tmp_path, again)
    assert [request.number for request in again.requests] == [2]
    assert first[1].path.read_bytes() == kept


def test_rounds_and_seeds_give_other_cubes(two_proxies: list[MappedScene], tmp_path: Path) -> None:
    first = generate(two_proxies, tmp_path, NoiseCubes())
    for changes in ({"round_number": 1}, {"seed": 4}):
        source = NoiseCubes()
        other = generate(two_proxies, tmp_path, source, **changes)
        assert not torch.equal(other[0].load().cube, first[0].load().cube)
        assert [request.number for request in source.requests] == (
            [4, 6, 5, 7] if "seed" not in changes else [0, 2, 1, 3]
        )


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (
            NoiseCubes(bands=7),
            r"^The cube 0 of NoiseCubes has shape \(7, 20, 20\), where the target's 8 bands x height",
        ),
        (NoiseCubes(low=0.5), r"^The cube 0 of NoiseCubes reaches from 0\.5\d* to 1\.\d+, where training expects"),
        (NoiseCubes(low=float("nan")), r"^The cube 0 of NoiseCubes reaches from nan to nan, where training expects"),
        (NoiseCubes(side=15), r"^NoiseCubes gave a cube of 15 x 15 pixels, smaller than a training patch of 16 x 16"),
    ],
)
def test_cubes_that_cannot_be_trained_on_are_one_sentence(
    two_proxies: list[MappedScene], tmp_path: Path, source: NoiseCubes, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        generate(two_proxies, tmp_path, source, smallest=16)
    assert not list(tmp_path.glob("generated-*/**/*.npy"))


def test_stored_cubes_too_are_compared_with_the_patch(two_proxies: list[MappedScene], tmp_path: Path) -> None:
    generate(two_proxies, tmp_path, NoiseCubes(), smallest=16)
    with pytest.raises(ValueError, match=r"gave a cube of 20 x 20 pixels, smaller than a training patch of 32 x 32"):
        generate(two_proxies, tmp_path, NoiseCubes(), smallest=32)
