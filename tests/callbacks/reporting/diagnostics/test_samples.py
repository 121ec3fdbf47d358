"""What the diagnostics look at: places, patches and features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from callbacks.reporting.diagnostics.samples import Candidate, candidates, draw, patch_features
from datamodules import MappedScene
from lightning_modules import ClipTowers
from tests.callbacks.tiny import SIDE, WAVELENGTHS, tiny_data


def test_scenes_of_one_name_are_seen_at_the_same_places() -> None:
    settings: dict[str, Any] = {"patches": 5, "patch_size": 12, "pixels": 7, "seed": 2}
    one = draw([ramp_candidate("a"), ramp_candidate("b")], WAVELENGTHS, **settings)
    half = draw([ramp_candidate("a", scale=0.5), ramp_candidate("b", scale=0.5)], WAVELENGTHS, **settings)
    assert one.rgb_scenes == ("a",) * 3 + ("b",) * 2
    assert one.spectra_scenes == ("a",) * 4 + ("b",) * 3
    torch.testing.assert_close(half.rgb, one.rgb / 2)
    torch.testing.assert_close(half.spectra, one.spectra / 2)
    assert one.rgb.shape == (5, 3, 12, 12)
    # Red is the longest wavelength, the last band; neighbours in a row differ by one step of the ramp.
    step = 1 / (8 * SIDE * SIDE - 1)
    torch.testing.assert_close(
        one.rgb[:, 0, :, 1:] - one.rgb[:, 0, :, :-1], torch.full((5, 12, 11), step), atol=1e-6, rtol=0
    )
    torch.testing.assert_close(one.rgb[:, 0] - one.rgb[:, 1], torch.full((5, 12, 12), 4 * SIDE**2 * step))
    other = draw([ramp_candidate("a"), ramp_candidate("b")], WAVELENGTHS, **(settings | {"seed": 3}))
    assert not torch.equal(one.spectra, other.spectra)


def test_small_scenes_and_holes_are_sampled_too() -> None:
    torn = Candidate("a", lambda: torch.full((8, 9, 10), torch.nan))
    drawn = draw([torn], WAVELENGTHS, patches=2, patch_size=12, pixels=3, seed=0)
    assert drawn.rgb.shape == (2, 3, 12, 12)
    assert drawn.spectra.abs().max() == drawn.rgb.abs().max() == 0


def test_features_are_pixels_or_embeddings_of_length_one(tmp_path: Path) -> None:
    rgb = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    pixels = patch_features(rgb, None)
    assert pixels.shape == (3, 3 * 64)
    expected = (rgb[1, 2, 2:4, 4:6] ** (1 / 2.2)).mean()
    assert float(pixels[1, 2 * 64 + 8 + 2]) == pytest.approx(float(expected))
    towers = ClipTowers("tiny-random", None, cache=str(tmp_path))
    features = patch_features(rgb, towers)
    torch.testing.assert_close(features.norm(dim=1), torch.ones(3))
    embedding = towers.image_embeddings(rgb[1:2] ** (1 / 2.2))[0]
    torch.testing.assert_close(features[1], embedding / embedding.norm(), atol=1e-5, rtol=1e-5)


def ramp_candidate(name: str, side: int = SIDE, scale: float = 1.0) -> Candidate:
    ramp = torch.linspace(0, 1, 8 * side * side).view(8, side, side)
    return Candidate(name, lambda: scale * ramp)


def test_clean_cubes_are_the_test_sets_and_only_if_asked_for(tmp_path: Path) -> None:
    data = tiny_data(tmp_path)
    data.prepare_data()
    proxies = [MappedScene("amber", data.scenes(["amber"])[0].path, WAVELENGTHS)]
    sets = candidates(data, proxies, [], "synthesised", clean=True)
    assert list(sets) == ["degraded", "proxy", "clean"]
    delta = next(one for one in sets["clean"] if one.name == "delta")
    assert torch.equal(delta.load(), data.read_scene("delta").cube)
    assert list(candidates(data, proxies, [], "synthesised", clean=False)) == ["degraded", "proxy"]
