"""What holds for every training-free method: sizes, batches, order, number types, threads, and bad input."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from lightning_modules.solvers import SolverError, SolverResult, enhanced_3dtv, lrmr, lrtdtv, lrtdtv_g, lrtv, rctv
from tests.lightning_modules.solvers.recorded import psnr
from tests.lightning_modules.solvers.scenes import clean_scene, noisy_scene

Solver = Callable[..., SolverResult]
SOLVERS: dict[str, Solver] = {
    "rctv": partial(rctv, rank=3),
    "enhanced_3dtv": partial(enhanced_3dtv, rank=5),
    "lrtv": partial(lrtv, rank=3),
    "lrtv_squared": partial(lrtv, rank=3, sparse_noise="squared"),
    "lrtdtv": partial(lrtdtv, rank=3),
    "lrtdtv_g": partial(lrtdtv_g, rank=3),
    "lrmr": partial(lrmr, rank=3, block=12, threshold=0.3, iterations=30),
}
FAMILY = pytest.mark.parametrize("solve", SOLVERS.values(), ids=SOLVERS.keys())
SENSITIVE = {"enhanced_3dtv", "lrtdtv", "lrtdtv_g", "lrmr"}
"""Methods that are known to magnify rounding: cut ranks, or a random projection without a fixed point."""


@FAMILY
@pytest.mark.parametrize("shape", [(12, 30, 17), (7, 16, 40)])
def test_any_size_is_restored(solve: Solver, shape: tuple[int, int, int]) -> None:
    clean = clean_scene(*shape)
    observed = noisy_scene(clean)
    result = solve(observed)
    assert result.restored.shape == observed.shape
    assert psnr(result.restored, clean) > psnr(observed, clean) + 2


@pytest.mark.parametrize("name", SOLVERS)
def test_a_batch_gives_what_its_scenes_give_in_any_order(name: str) -> None:
    solve = SOLVERS[name]
    scenes = [noisy_scene(clean_scene(8, 20, 18, seed), seed) * scale for seed, scale in ((0, 1.0), (1, 0.3), (2, 0.7))]
    batch = solve(torch.cat(scenes))
    turned = solve(torch.cat(scenes[::-1]))
    for index, scene in enumerate(scenes):
        single = solve(scene)
        assert int(single.iterations) == int(batch.iterations[index])
        assert bool(single.converged) == bool(batch.converged[index])
        for other in (batch.restored[index], turned.restored[len(scenes) - 1 - index]):
            assert torch.allclose(single.restored[0], other, atol=1e-4 if name in SENSITIVE else 1e-9)


@FAMILY
def test_float32_is_as_good_as_float64(solve: Solver) -> None:
    clean = clean_scene(12, 24, 24)
    observed = noisy_scene(clean)
    single, double = solve(observed.float()), solve(observed)
    assert single.restored.dtype == torch.float32
    assert abs(psnr(single.restored, clean) - psnr(double.restored, clean)) < 0.1


@FAMILY
def test_the_number_of_threads_does_not_matter(solve: Solver) -> None:
    observed = noisy_scene(clean_scene(8, 20, 20))
    before = torch.get_num_threads()
    one = solve(observed).restored
    torch.set_num_threads(2)
    try:
        two = solve(observed).restored
    finally:
        torch.set_num_threads(before)
    assert torch.allclose(one, two, atol=1e-4)


@FAMILY
def test_input_is_left_alone_and_progress_ends_at_what_the_result_says(solve: Solver) -> None:
    observed = noisy_scene(clean_scene(8, 20, 20))
    before, seen = observed.clone(), list[tuple[int, int, float]]()
    result = solve(observed, progress=lambda *step: seen.append(step))
    assert torch.equal(observed, before)
    assert [step[0] for step in seen] == list(range(1, len(seen) + 1))
    assert seen[-1][2] == pytest.approx(float(result.residual), rel=1e-6)
    assert seen[-1][0] <= seen[-1][1]


@FAMILY
def test_a_scene_of_zeros_stays_one(solve: Solver) -> None:
    with pytest.warns(UserWarning, match="constant bands, first band 0 of scene 0"):
        result = solve(torch.zeros(1, 6, 16, 16))
    assert float(result.restored.abs().max()) < 1e-6


@FAMILY
def test_a_constant_band_is_named_and_the_others_are_restored(solve: Solver) -> None:
    clean = clean_scene(12, 24, 24)
    observed = noisy_scene(clean)
    observed[:, 4] = 0
    rest = [band for band in range(12) if band != 4]
    with pytest.warns(UserWarning, match="1 constant band, first band 4 of scene 0"):
        restored = solve(observed).restored
    assert bool(restored.isfinite().all())
    assert psnr(restored[:, rest], clean[:, rest]) > psnr(observed[:, rest], clean[:, rest]) + 3


@FAMILY
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_named(solve: Solver, value: float) -> None:
    observed = noisy_scene(clean_scene(6, 16, 16)).repeat(2, 1, 1, 1)
    observed[1, 3, 2, 5] = value
    with pytest.raises(SolverError, match="1 values that are NaN or infinite, first in band 3 of scene 1"):
        solve(observed)


@FAMILY
@pytest.mark.parametrize(
    ("observed", "sentence"),
    [
        (torch.zeros(6, 16, 16), r"takes a batch of cubes, B x C x H x W, but got a tensor of shape \(6, 16, 16\)"),
        (torch.zeros(0, 6, 16, 16), r"got a tensor of shape \(0, 6, 16, 16\)"),
        (torch.zeros(1, 6, 16, 16, dtype=torch.uint8), r"not in torch\.uint8: convert the cubes first"),
        (torch.zeros(1, 6, 16, 16, dtype=torch.float16), r"not in torch\.float16"),
    ],
)
def test_what_is_no_batch_of_cubes_is_refused(solve: Solver, observed: Tensor, sentence: str) -> None:
    with pytest.raises(SolverError, match=sentence):
        solve(observed)


@FAMILY
@pytest.mark.parametrize("rank", [0, 7])
def test_a_rank_above_the_bands_is_refused(solve: Solver, rank: int) -> None:
    with pytest.raises(SolverError, match=f"cannot keep a rank of {rank} of 6 bands: ask for 1 to 6"):
        solve(noisy_scene(clean_scene(6, 16, 16)), rank=rank)


@pytest.mark.parametrize("name", [name for name in SOLVERS if name != "lrmr"])
def test_too_few_iterations_are_said(name: str) -> None:
    result = SOLVERS[name](noisy_scene(clean_scene(6, 16, 16)), iterations=3)
    assert result.converged.tolist() == [False]
    assert "did not meet its stopping rule for 1 of 1 scenes: scene 0" in result.unconverged(name)


@pytest.mark.parametrize("name", [name for name in SOLVERS if name not in SENSITIVE])
def test_pixels_in_another_order_of_bands_give_the_same(name: str) -> None:
    """No method but those with differences along the bands knows which band is beside which."""
    observed = noisy_scene(clean_scene(8, 20, 20))
    order = torch.randperm(8, generator=torch.Generator().manual_seed(0))
    shuffled = SOLVERS[name](observed[:, order]).restored
    assert torch.allclose(shuffled, SOLVERS[name](observed).restored[:, order], atol=1e-8)
