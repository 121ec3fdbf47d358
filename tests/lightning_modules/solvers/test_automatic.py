"""Parameters estimated from each scene."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch

from lightning_modules.solvers import SolverResult, enhanced_3dtv, lrmr, lrtdtv, lrtv, rctv, whitened_rctv
from lightning_modules.solvers.automatic import estimated_rank, noise_level
from tests.lightning_modules.solvers.recorded import psnr
from tests.lightning_modules.solvers.scenes import clean_scene, noisy_scene

SOLVERS: dict[str, Callable[..., SolverResult]] = {
    "rctv": partial(rctv, rank="auto", tau="auto"),
    "whitened_rctv": partial(whitened_rctv, rank="auto", tau="auto"),
    "enhanced_3dtv": partial(enhanced_3dtv, rank="auto", tau="auto"),
    "lrtv": partial(lrtv, rank="auto", tau="auto"),
    "lrtdtv": partial(lrtdtv, rank="auto", tau="auto"),
    "lrmr": partial(lrmr, rank="auto", threshold="auto", block=12, iterations=20),
}


@pytest.mark.parametrize("name", SOLVERS)
def test_every_scene_gets_parameters_of_its_own(name: str) -> None:
    """A scene beside a noisier one of more directions is restored as if it were alone."""
    solve = SOLVERS[name]
    scenes = [
        noisy_scene(clean_scene(12, 20, 20, 0, rank=2), 0, 0.01, 0.02),
        noisy_scene(clean_scene(12, 20, 20, 1, rank=5), 1, 0.2, 0.4),
    ]
    seen: list[tuple[int, int, float]] = []
    both = solve(torch.cat(scenes), progress=lambda *step: seen.append(step))
    alone = solve(scenes[0])
    assert torch.allclose(both.restored[0], alone.restored[0], atol=1e-9)
    assert both.iterations.shape == both.converged.shape == both.residual.shape == (2,)
    assert [step[0] for step in seen] == sorted(step[0] for step in seen)


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("most", [0.02, 0.3])
def test_little_and_much_noise_both_become_less(name: str, most: float) -> None:
    clean = clean_scene(16, 28, 28)
    observed = noisy_scene(clean, least=most / 2, most=most)
    assert psnr(SOLVERS[name](observed).restored, clean) > psnr(observed, clean) + 3


def test_rank_and_level() -> None:
    observed = noisy_scene(clean_scene(16, 48, 48, rank=3), least=0.01, most=0.03)
    assert estimated_rank(observed, weak_directions=0) in (3, 4)
    assert estimated_rank(observed) == estimated_rank(observed, weak_directions=0) + 2
    assert estimated_rank(observed[:, :2]) <= 2
    assert noise_level(observed) == pytest.approx(0.02, rel=0.25)
