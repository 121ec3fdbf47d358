"""The whole stage: a known warp is recovered, settings and errors."""

import itertools
import json
import weakref
from collections.abc import Iterator
from typing import Any, Literal, cast

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from callbacks.transfer import LossWeights, Retrieval, SpectralTransfer
from callbacks.transfer.compiled.estimation import CompiledEstimation
from callbacks.transfer.compiled.library import Backend
from callbacks.transfer.estimation import TransportEstimation
from hyperalign.compilation import compiler
from tests.callbacks.transfer.samples import smooth_cube


def psnr(found: Tensor, truth: Tensor) -> float:
    return float(-10 * torch.log10((found - truth).square().mean()))


def warp(cube: Tensor, amplitude: float) -> Tensor:
    """A smooth sub-pixel displacement of up to a few pixels."""
    height, width = cube.shape[1:]
    coarse = torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(9))
    field = amplitude * functional.interpolate(coarse, size=(height, width), mode="bicubic")[0]
    y = torch.arange(height)[:, None] + field[0]
    x = torch.arange(width)[None] + field[1]
    grid = torch.stack(((2 * x + 1) / width - 1, (2 * y + 1) / height - 1), -1)[None]
    return functional.grid_sample(cube[None], grid, padding_mode="border", align_corners=False)[0]


@pytest.fixture(scope="module")
def scene() -> Tensor:
    return smooth_cube(8, 48, 52, seed=4)


def test_a_known_warp_is_recovered_in_every_band(scene: Tensor) -> None:
    truth = warp(scene, 2.0)
    operator = SpectralTransfer(steps=100).estimate(scene[:3], truth[:3])
    moved = operator.apply(scene)
    assert psnr(moved, truth) > psnr(scene, truth) + 12
    assert psnr(moved, truth) > 38
    assert psnr(operator.apply(scene[:3]), truth[:3]) > 42
    assert (operator.row_sums() - 1).abs().max() < 1e-5
    assert int(operator.support().max()) <= 16 * 49


def test_optimisation_improves_on_its_starting_point(scene: Tensor) -> None:
    truth = warp(scene, 2.0)
    start = SpectralTransfer(steps=0).estimate(scene[:3], truth[:3]).apply(scene)
    end = SpectralTransfer(steps=60).estimate(scene[:3], truth[:3]).apply(scene)
    assert psnr(end, truth) > psnr(start, truth) + 3


def test_a_tinted_guide_keeps_the_proxy_spectra(scene: Tensor) -> None:
    truth = warp(scene, 2.0)
    tinted = (truth[:3] * torch.tensor([1.06, 0.97, 0.95]).view(3, 1, 1)).clamp(0, 1)
    moved = SpectralTransfer(steps=100).estimate(scene[:3], tinted).apply(scene)
    angle = torch.rad2deg(functional.cosine_similarity(moved, truth, dim=0).clamp(-1, 1).acos()).mean()
    assert float(angle) < 3.0
    assert psnr(moved, truth) > 28


def test_many_guides_share_the_index_and_change_nothing(scene: Tensor) -> None:
    guides = torch.stack((warp(scene, 1.0)[:3], scene[:3].flip(2)))
    transfer = SpectralTransfer(steps=4)
    done: list[int] = []
    together = transfer.estimate_many(scene[:3], guides, done.append)
    assert done == list(range(1, 9))
    for operator, guide in zip(together, guides, strict=True):
        assert torch.equal(operator.apply(scene), transfer.estimate(scene[:3], guide).apply(scene))


def pairs_of_two_proxies(height: int, width: int) -> list[tuple[Tensor, Tensor]]:
    """Three guides of one proxy, two of another."""
    first, second = smooth_cube(3, height, width, seed=6), smooth_cube(3, height, width, seed=7)
    guides = [first.roll((2, 1), (1, 2)), first.flip(1), first.sqrt(), second.roll((1, 3), (1, 2)), second.flip(2)]
    return [(first if n < 3 else second, guide) for n, guide in enumerate(guides)]


# The lower limit cuts the images into blocks of 12, 12 and 4 rows.
@pytest.mark.parametrize(("backend", "block_pixels"), [("torch", 8192), ("torch", 12 * 24), ("auto", 8192)])
@pytest.mark.parametrize("at_once", [2, 5])
def test_a_batch_of_several_proxies_changes_no_bit(
    backend: Backend, block_pixels: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callbacks.transfer.transfer.CPU_BLOCK_PIXELS", block_pixels)
    pairs = pairs_of_two_proxies(28, 24)
    settings: dict[str, Any] = {"steps": 6, "seeds": 4, "candidates": 6, "kernel_size": 5, "backend": backend}
    done: list[int] = []
    batches = list(SpectralTransfer(guides_at_once=at_once, **settings).estimate_batches(pairs, done.append))
    assert [len(batch) for batch in batches] == ([2, 2, 1] if at_once == 2 else [5])
    assert done == sorted(set(done))
    assert done[-1] == 5 * 6
    alone = SpectralTransfer(**settings)
    for operator, (proxy, guide) in zip(itertools.chain(*batches), pairs, strict=True):
        expected = alone.estimate(proxy, guide)
        assert torch.equal(operator.candidates, expected.candidates)
        assert torch.equal(operator.aggregation, expected.aggregation)
        assert torch.equal(operator.interpolation, expected.interpolation)


def test_a_batch_at_an_odd_size_is_equal_up_to_rounding() -> None:
    """Beside whole vectors of 16 pixels, exp and sqrt may round otherwise, and signs of L1 terms amplify it."""
    pairs = pairs_of_two_proxies(21, 27)[1:4]
    together = SpectralTransfer(steps=20, guides_at_once=3, backend="torch").estimate_batches(pairs)
    for operator, (proxy, guide) in zip(itertools.chain(*together), pairs, strict=True):
        moved = SpectralTransfer(steps=20, backend="torch").estimate(proxy, guide).apply(proxy)
        assert psnr(operator.apply(proxy), moved) > 60


def test_guides_are_asked_for_one_batch_at_a_time_and_sizes_do_not_mix() -> None:
    sizes = [(24, 24), (24, 24), (24, 24), (16, 24), (24, 24)]
    asked: list[int] = []

    def pairs() -> Iterator[tuple[Tensor, Tensor]]:
        for number, size in enumerate(sizes):
            asked.append(number)
            image = smooth_cube(3, *size, seed=number)
            yield image, image.flip(1)

    transfer = SpectralTransfer(steps=1, seeds=4, candidates=4, kernel_size=3, guides_at_once=2)
    seen = [([operator.shape for operator in batch], len(asked)) for batch in transfer.estimate_batches(pairs())]
    # Where the size changes, one guide of the next size has been looked at.
    assert seen == [([(24, 24)] * 2, 2), ([(24, 24)], 4), ([(16, 24)], 5), ([(24, 24)], 5)]


@pytest.mark.parametrize("kind", [TransportEstimation, CompiledEstimation])
def test_one_guide_at_once_on_a_cpu_holds_one_guide(monkeypatch: pytest.MonkeyPatch, kind: type[Any]) -> None:
    """Matches and tables of a finished guide are gone before those of the next are made."""
    alive: weakref.WeakSet[Any] = weakref.WeakSet()
    most: list[int] = []
    if kind is CompiledEstimation and compiler() is None:
        pytest.skip("there is no C++ compiler on this machine")

    class Watched(kind):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401
            alive.add(self)
            most.append(len(alive))
            super().__init__(*arguments, **named)

    monkeypatch.setattr(f"callbacks.transfer.transfer.{kind.__name__}", Watched)
    backend: Backend = "torch" if kind is TransportEstimation else "compiled"
    transfer = SpectralTransfer(steps=1, seeds=4, candidates=4, kernel_size=3, backend=backend)
    assert [len(batch) for batch in transfer.estimate_batches(pairs_of_two_proxies(24, 24))] == [1] * 5
    assert most == [1] * 5


def test_settings_name_everything_and_survive_json() -> None:
    transfer = SpectralTransfer(weights=LossWeights(ssim=0.25), retrieval=Retrieval(engine="torch"))
    settings = json.loads(json.dumps(transfer.settings()))
    assert settings["weights"]["ssim"] == 0.25
    assert settings["retrieval"]["engine"] == "torch"
    published = {"kernel_size": 7, "learning_rate": 0.05, "temperature": 1.0}
    assert published.items() <= settings["estimation"].items()
    assert (settings["seeds"], settings["candidates"], settings["steps"]) == (16, 16, 200)
    assert (settings["refinement_radius"], settings["chroma_weight"], settings["gradient_weight"]) == (1, 0.25, 0.5)
    assert settings["estimation"]["patch_size"] == transfer.patch_size == 5
    assert transfer.settings() != SpectralTransfer().settings()
    assert SpectralTransfer(guides_at_once=4, backend="torch").settings() == SpectralTransfer().settings()


def test_wrong_settings_are_sentences() -> None:
    with pytest.raises(ValueError, match="kernel_size must be a positive odd number of pixels, got 6"):
        SpectralTransfer(kernel_size=6)
    with pytest.raises(ValueError, match="patch_size must be a positive odd number of pixels, got -1"):
        SpectralTransfer(patch_size=-1)
    with pytest.raises(ValueError, match="candidates must be at least 1, got 0"):
        SpectralTransfer(candidates=0)
    with pytest.raises(ValueError, match="backend must be auto, compiled or torch, got 'fast'"):
        SpectralTransfer(backend=cast("Backend", "fast"))
    with pytest.raises(ValueError, match="guides_at_once must be at least 1, got 0"):
        SpectralTransfer(guides_at_once=0)


def test_one_of_everything_is_the_nearest_pixel() -> None:
    image = smooth_cube(3, 16, 18, seed=1)
    single = SpectralTransfer(1, 0, 1, 1, 1, patch_size=1, gradient_weight=0.0, guides_at_once=1)
    assert torch.equal(single.estimate(image, image.flip(2)).apply(image), image.flip(2))


def test_values_beyond_the_ends_are_clamped() -> None:
    image = 1.6 * smooth_cube(3, 16, 18, seed=1) - 0.3
    transfer = SpectralTransfer(4, candidates=4, kernel_size=3, steps=1)
    found, expected = (transfer.estimate(one, one.flip(2)) for one in (image, image.clamp(0, 1)))
    assert torch.equal(found.aggregation, expected.aggregation)
    assert torch.equal(found.interpolation, expected.interpolation)


def test_wrong_images_are_sentences(scene: Tensor) -> None:
    transfer = SpectralTransfer(steps=1)
    with pytest.raises(
        ValueError, match="guides of the same size, got a proxy of 3 x 48 x 52 and guides of 3 x 48 x 51"
    ):
        transfer.estimate(scene[:3], scene[:3, :, :51])
    with pytest.raises(ValueError, match="got a guide with NaN or infinite values"):
        transfer.estimate(scene[:3], torch.full_like(scene[:3], torch.nan))


@pytest.mark.skipif(compiler() is None, reason="there is no C++ compiler on this machine")
@pytest.mark.parametrize("engine", ["exact", "inverted"])
def test_compiled_loops_and_torch_find_the_same_transport(scene: Tensor, engine: Literal["exact", "inverted"]) -> None:
    guide = warp(scene, 2.0)[:3]
    found, expected = (
        SpectralTransfer(steps=40, retrieval=Retrieval(engine=engine), backend=backend).estimate(scene[:3], guide)
        for backend in cast("tuple[Backend, ...]", ("compiled", "torch"))
    )
    assert float((found.candidates == expected.candidates).double().mean()) > 0.999
    assert psnr(found.apply(scene), expected.apply(scene)) > 60


def test_images_of_other_or_two_dtypes_or_without_a_pixel_are_sentences(scene: Tensor) -> None:
    image = scene[:3]
    for proxy, guide in ((image.half(), image.half()), (image, image.double()), (image.byte(), image.byte())):
        with pytest.raises(ValueError, match=r"both float32 or both float64, got torch\.\w+ and torch\.\w+: convert"):
            SpectralTransfer().estimate(proxy, guide)
    with pytest.raises(ValueError, match="a proxy RGB without a pixel"):
        SpectralTransfer().estimate(image[:, :0], image[:, :0])


@pytest.mark.parametrize("backend", ["auto", "torch"])
@pytest.mark.parametrize("around", ["float64", "float16", "autocast"])
def test_precision_around_a_transfer_changes_no_bit(scene: Tensor, backend: Backend, around: str) -> None:
    transfer, proxy, guide = SpectralTransfer(steps=3, backend=backend), scene[:3], scene[3:6]
    expected = transfer.estimate(proxy, guide).apply(scene)
    try:
        if around != "autocast":
            torch.set_default_dtype(getattr(torch, around))
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=around == "autocast"):
            operator = transfer.estimate(proxy, guide)
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(operator.apply(scene), expected)
