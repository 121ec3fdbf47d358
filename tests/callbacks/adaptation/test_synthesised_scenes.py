"""Guides and spectra of the proxies: reproducible, written one by one, made once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from callbacks.adaptation.stages import neighbours
from callbacks.adaptation.store import Store, StoreError
from callbacks.adaptation.synthesised_scenes import Synthesised, proxy_rgb, synthesise, transport_facts
from callbacks.guides import Guides
from callbacks.transfer import SpectralTransfer, TransportOperator
from callbacks.transfer.descriptors import PatchDescriptors
from datamodules import MappedScene
from tests.callbacks.tiny import (
    WAVELENGTHS,
    MiniScenes,
    NumberedRanks,
    tiny_transfer,
)


class CountingTransfer(SpectralTransfer):
    """Counts the guides asked for, and the images described: every guide, and a proxy as often as it is indexed."""

    calls = 0
    described = 0

    def estimate_batches(
        self, pairs: Iterable[tuple[Tensor, Tensor]], progress: Callable[[int], None] | None = None
    ) -> Iterator[list[TransportOperator]]:
        def counted() -> Iterator[tuple[Tensor, Tensor]]:
            for pair in pairs:
                type(self).calls += 1
                yield pair

        return super().estimate_batches(counted(), progress)

    def _descriptors(self, image: Tensor) -> PatchDescriptors:
        type(self).described += 1
        return super()._descriptors(image)


class FittedGuides(Guides):
    """Guides that must be fitted; they mix noise into the proxy."""

    def __init__(self, strength: float = 0.1) -> None:
        self.strength = strength
        self.fits: list[tuple[int, int, Path]] = []

    def fit(
        self,
        proxy_rgbs: Sequence[Tensor],
        seed: int,
        folder: Path,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.fits.append((len(proxy_rgbs), seed, folder))

    def __call__(self, proxy_rgb: Tensor, n: int, generator: torch.Generator) -> Tensor:
        assert self.fits
        noise = torch.rand(n, *proxy_rgb.shape, generator=generator)
        return (proxy_rgb + self.strength * noise).clamp(0, 1)

    def settings(self) -> dict[str, Any]:
        return {"class": "FittedGuides", "strength": self.strength}


@pytest.fixture
def proxies(tmp_path: Path) -> list[MappedScene]:
    data = MiniScenes(cache=str(tmp_path / "cache"))
    found = []
    for name in ("amber", "birch"):
        path = tmp_path / f"{name}.npy"
        np.save(path, data.read_scene(name).cube.numpy())
        found.append(MappedScene(name, path, WAVELENGTHS, f"the scene {name}"))
    return found


def run(proxies: Sequence[MappedScene], root: Path, **changes: Any) -> list[Synthesised]:  # noqa: ANN401
    guides = changes.pop("guides", FittedGuides())
    transfer = changes.pop("transfer", CountingTransfer(seeds=4, candidates=4, kernel_size=3, steps=5))
    CountingTransfer.calls = CountingTransfer.described = 0
    return synthesise(guides, transfer, proxies, root, **({"ratio": 2, "seed": 3} | changes))


def test_synthesised_cubes_inherit_the_proxys_spectra(proxies: list[MappedScene], tmp_path: Path) -> None:
    """T of the stored guide applied to the proxy is the stored cube (Eq. 26); a convex mixture of its pixels."""
    made = run(proxies, tmp_path / "store")
    assert [one.scene.name for one in made] == ["amber guide 0", "amber guide 1", "birch guide 0", "birch guide 1"]
    assert made[3].scene.caption == "the scene birch"
    for one in made:
        proxy, cube = one.proxy.load().cube, one.scene.load().cube
        guide = torch.from_numpy(np.load(one.guide))
        expected = tiny_transfer().estimate(proxy_rgb(one.proxy), guide).apply(proxy)
        torch.testing.assert_close(cube, expected, rtol=0, atol=0)
        assert cube.shape == proxy.shape
        flat = proxy.flatten(1)
        assert bool((cube.flatten(1).amax(1) <= flat.amax(1) + 1e-6).all())
        assert bool((cube.flatten(1).amin(1) >= flat.amin(1) - 1e-6).all())
    guides = [torch.from_numpy(np.load(one.guide)) for one in made]
    assert min(float((a - b).abs().max()) for i, a in enumerate(guides) for b in guides[:i]) > 0.05


def test_metadata_describe_the_transport(proxies: list[MappedScene], tmp_path: Path) -> None:
    (one, *_) = run(proxies, tmp_path)
    guide = torch.from_numpy(np.load(one.guide))
    operator = tiny_transfer().estimate(proxy_rgb(one.proxy), guide)
    error = (operator.apply(proxy_rgb(one.proxy)) - guide).square().mean()
    assert one.metadata["psnr"] == pytest.approx(-10 * float(error.log10()), abs=1e-4)
    assert one.metadata["kappa"] == pytest.approx(operator.kappa(), rel=1e-4)
    assert one.metadata["support"] == pytest.approx(float(operator.support().float().mean()), rel=1e-6)
    assert 1 <= one.metadata["support"] <= 4 * 9
    assert one.metadata["seconds"] >= 0


def test_nothing_is_made_twice_and_a_larger_ratio_keeps_what_is_there(
    proxies: list[MappedScene], tmp_path: Path
) -> None:
    first = run(proxies, tmp_path)
    assert CountingTransfer.calls == 4
    guides = FittedGuides()
    again = run(proxies, tmp_path, guides=guides)
    assert (CountingTransfer.calls, guides.fits) == (0, [])
    assert [one.scene for one in again] == [one.scene for one in first]
    more = run(proxies, tmp_path, ratio=3)
    assert CountingTransfer.calls == 2
    assert [one.scene.path for one in more if not one.scene.name.endswith("2")] == [one.scene.path for one in first]


def test_a_cube_depends_on_its_names_and_not_on_the_order(proxies: list[MappedScene], tmp_path: Path) -> None:
    straight = run(proxies, tmp_path / "a")
    guides_of = {one.scene.name: np.load(one.guide) for one in straight}
    for one in run(proxies[::-1], tmp_path / "b"):
        assert np.array_equal(np.load(one.guide), guides_of[one.scene.name])
        same = next(other for other in straight if other.scene.name == one.scene.name)
        assert torch.equal(one.scene.load().cube, same.scene.load().cube)


def test_guides_of_one_proxy_share_its_search_index(proxies: list[MappedScene], tmp_path: Path) -> None:
    run(proxies, tmp_path, ratio=3)
    assert (CountingTransfer.calls, CountingTransfer.described) == (6, 2 + 6)


def test_batches_across_proxies_write_the_same_bytes(proxies: list[MappedScene], tmp_path: Path) -> None:
    """24 x 24 pixels are a multiple of 16, so equality is to the bit; the store's key does not name the batch."""
    alone = run(proxies, tmp_path / "a", ratio=3)
    transfer = SpectralTransfer(seeds=4, candidates=4, kernel_size=3, steps=5, guides_at_once=4)
    together = run(proxies, tmp_path / "b", ratio=3, transfer=transfer)
    # The names hold the sha256 of the cubes.
    for one, other in zip(alone, together, strict=True):
        assert one.scene.path.relative_to(tmp_path / "a") == other.scene.path.relative_to(tmp_path / "b")


def test_scenes_of_several_sizes_keep_their_results_and_their_order(tmp_path: Path) -> None:
    """Equal sizes are put together for the batches; names, order and values stay."""
    scenes = []
    for name, side in (("amber", 24), ("birch", 16), ("coral", 24)):
        cube = MiniScenes(cache=str(tmp_path / "cache")).read_scene(name).cube[:, :side]
        np.save(tmp_path / f"{name}.npy", cube.numpy())
        scenes.append(MappedScene(name, tmp_path / f"{name}.npy", WAVELENGTHS))
    transfer = SpectralTransfer(seeds=4, candidates=4, kernel_size=3, steps=5, guides_at_once=4)
    alone, together = run(scenes, tmp_path / "a"), run(scenes, tmp_path / "b", transfer=transfer)
    for one, other in zip(alone, together, strict=True):
        assert one.scene.name == other.scene.name
        assert one.scene.path.name == other.scene.path.name
        assert one.scene.shape[1:] == (16 if one.proxy.name == "birch" else 24, 24)


class FailingTransfer(SpectralTransfer):
    """Fails at its third guide's descriptors."""

    def _descriptors(self, image: Tensor) -> PatchDescriptors:
        self.seen = getattr(self, "seen", 0) + 1
        # Descriptors of the proxy, then one set a guide.
        if self.seen == 4:
            raise FloatingPointError("this guide is too bright")
        return super()._descriptors(image)


def test_every_guide_is_written_as_soon_as_it_is_finished(proxies: list[MappedScene], tmp_path: Path) -> None:
    settings: dict[str, Any] = {"seeds": 4, "candidates": 4, "kernel_size": 3, "steps": 5}
    with pytest.raises(FloatingPointError, match="too bright"):
        run(proxies[:1], tmp_path, ratio=4, transfer=FailingTransfer(**settings))
    written = sorted(path.name.split(".")[0] for path in tmp_path.glob("synthesised-*/amber/*.npy"))
    assert written == ["0", "1"]
    run(proxies[:1], tmp_path, ratio=4)
    assert (CountingTransfer.calls, CountingTransfer.described) == (2, 1 + 2)


@pytest.mark.parametrize("at_once", [1, 3])
def test_progress_of_the_transfer_rises_with_the_steps_to_the_number_of_guides(
    proxies: list[MappedScene], tmp_path: Path, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[float] = []

    def progress(label: str, done: float, total: int) -> None:
        if label == "Spectral transfer":
            assert total == 4
            told.append(done)

    valid, asked = Store.valid, list[str]()

    def made_meanwhile(self: Store, name: str) -> bool:
        """Another run makes the second entry after this one looked what is missing."""
        if "synthesised" in self.folder.name:
            asked.append(name)
        if name == "amber/1" and asked.count(name) == 2:
            self.write_array(name, torch.zeros(8, 24, 24), {"psnr": 1.0})
        return valid(self, name)

    monkeypatch.setattr(Store, "valid", made_meanwhile)
    transfer = SpectralTransfer(seeds=4, candidates=4, kernel_size=3, steps=5, guides_at_once=at_once)
    made = run(proxies, tmp_path, progress=progress, transfer=transfer)
    assert made[1].metadata["psnr"] == 1.0
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, 4.0)
    assert len(told) >= 2 + 3 * 5 // at_once


def test_cubes_do_not_depend_on_which_guides_were_made_before(proxies: list[MappedScene], tmp_path: Path) -> None:
    """Every run makes what one of four ranks would: a part of a proxy's guides, or guides of two proxies."""
    run(proxies, tmp_path, ratio=3)
    (store,) = tmp_path.glob("synthesised-*")
    kept = {path: path.read_bytes() for path in store.rglob("*.npy")}
    names = [f"{proxy.name}/{index}" for proxy in proxies for index in range(3)]
    for rank in range(4):
        share = neighbours(NumberedRanks(rank, 4), names)
        for name in share:
            (store / f"{name}.json").unlink()
        run(proxies, tmp_path, ratio=3)
        assert CountingTransfer.calls == len(share)
    assert {path: path.read_bytes() for path in store.rglob("*.npy")} == kept


@pytest.mark.parametrize("changes", [{"seed": 4}, {"round_number": 1}, {"guides": FittedGuides(0.2)}])
def test_seed_round_and_guides_settings_give_other_guides(
    proxies: list[MappedScene], tmp_path: Path, changes: dict[str, Any]
) -> None:
    first, other = run(proxies, tmp_path), run(proxies, tmp_path, **changes)
    assert CountingTransfer.calls == 4
    assert not np.array_equal(np.load(first[0].guide), np.load(other[0].guide))


def test_other_transfer_settings_keep_the_guides(proxies: list[MappedScene], tmp_path: Path) -> None:
    first = run(proxies, tmp_path)
    other = run(proxies, tmp_path, transfer=CountingTransfer(seeds=4, candidates=4, kernel_size=3, steps=6))
    assert CountingTransfer.calls == 4
    assert [one.guide for one in other] == [one.guide for one in first]


def test_guides_are_fitted_once_on_all_proxies_inside_the_store(proxies: list[MappedScene], tmp_path: Path) -> None:
    guides = FittedGuides()
    run(proxies, tmp_path / "store", guides=guides)
    ((count, seed, folder),) = guides.fits
    assert (count, seed) == (2, 3)
    assert folder.parent.parent == tmp_path / "store"
    assert folder.parent.name.startswith("guides-")


def test_wavelengths_that_make_no_picture_are_one_sentence(proxies: list[MappedScene], tmp_path: Path) -> None:
    infrared = MappedScene("amber", proxies[0].path, tuple(band + 500 for band in WAVELENGTHS))
    with pytest.raises(ValueError, match=r"do not cover \d+ nm"):
        run([infrared], tmp_path)


def test_a_perfect_guide_has_finite_quality() -> None:
    """T r can equal the guide; the stored number must stay valid JSON."""
    flat = torch.full((8, 12, 12), 0.5)
    operator = tiny_transfer().estimate(flat[:3], flat[:3])
    torch.testing.assert_close(operator.apply(flat), flat)
    assert 90 < transport_facts(operator, flat[:3], flat[:3])["psnr"] <= 100


def test_a_disk_too_small_for_guides_and_cubes_is_said_before_the_guides_are_trained(
    proxies: list[MappedScene], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=100))
    with pytest.raises(StoreError, match=r"^The guides and synthesised cubes need .* has 0\.00 GiB left: free some"):
        run(proxies, tmp_path / "small")
    assert not list((tmp_path / "small").rglob("*.npy"))
