"""What all fusion solvers refuse, and what none of their results may depend on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from lightning_modules import CNMF, GSA, ICCV15
from lightning_modules.solvers import SolverError, SolverResult, SpatialResponse, cnmf, fuse, fuse_blind, gsa, iccv15
from lightning_modules.solvers.pairs import Fused, solve_scenes
from tests.lightning_modules.solvers.fusion_cases import Pairs, mean_psnr, pairs

Solver = Callable[[Tensor, Tensor, Tensor | None], SolverResult]
BLUR = SpatialResponse.gaussian(4, 5, 1.5, (1.0, 1.0))
SOLVERS: dict[str, Solver] = {
    "GSA": lambda low, high, _response: gsa(low, high, ratio=4, phase=BLUR.phase),
    "FUSE": lambda low, high, response: fuse(
        low, high, PAIRS.response if response is None else response, BLUR, dimension=4
    ),
    "FUSE blind": lambda low, high, response: fuse_blind(
        low, high, ratio=4, phase=BLUR.phase, response=response, dimension=4
    ),
    "CNMF": lambda low, high, response: cnmf(low, high, BLUR, response=response, endmembers=4, inner_iterations=20),
    "ICCV15": lambda low, high, response: iccv15(low, high, BLUR, response=response, endmembers=4, iterations=15),
}
PAIRS: Pairs = pairs(BLUR)


@pytest.fixture(params=SOLVERS, ids=lambda name: name.replace(" ", "_"))
def solver(request: pytest.FixtureRequest) -> Solver:
    return SOLVERS[request.param]


@pytest.fixture
def one_thread_again() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_a_scene_does_not_depend_on_its_batch(solver: Solver) -> None:
    together = solver(PAIRS.observation, PAIRS.multispectral, None)
    for scene in range(2):
        alone = solver(PAIRS.observation[scene : scene + 1], PAIRS.multispectral[scene : scene + 1], None)
        assert torch.equal(alone.restored[0], together.restored[scene])
        assert alone.iterations[0] == together.iterations[scene]
    turned = solver(PAIRS.observation.flip(0), PAIRS.multispectral.flip(0), None)
    assert torch.equal(turned.restored.flip(0), together.restored)


def test_single_precision_gives_the_same(solver: Solver) -> None:
    double = solver(PAIRS.observation, PAIRS.multispectral, None).restored
    single = solver(PAIRS.observation.float(), PAIRS.multispectral.float(), None).restored
    assert single.dtype == torch.float32
    assert mean_psnr(single, double) > 60


def test_the_number_of_threads_does_not_matter(solver: Solver, one_thread_again: None) -> None:
    one = solver(PAIRS.observation, PAIRS.multispectral, None).restored
    torch.set_num_threads(2)
    two = solver(PAIRS.observation, PAIRS.multispectral, None).restored
    assert (one - two).abs().max() < 1e-8


def test_another_size_and_an_exact_pair(solver: Solver) -> None:
    case = pairs(BLUR, scenes=1, size=(44, 36))
    result = solver(case.observation, case.multispectral, None)
    assert result.restored.shape == case.truth.shape
    assert mean_psnr(result.restored, case.truth) > 25


@pytest.mark.parametrize("which", [0, 1])
def test_what_is_not_finite_is_refused(solver: Solver, which: int) -> None:
    images = [PAIRS.observation.clone(), PAIRS.multispectral.clone()]
    images[which][1, 0, 2, 3] = float("nan")
    name = ("hyperspectral", "multispectral")[which]
    with pytest.raises(SolverError, match=f"The {name} image of scene 1 holds NaN or infinite values; repair it"):
        solver(images[0], images[1], None)


def test_a_channel_of_zeros_is_refused(solver: Solver) -> None:
    high = PAIRS.multispectral.clone()
    high[1, 2] = 0
    with pytest.raises(SolverError, match="channel 2 of scene 1 holds only zeros"):
        solver(PAIRS.observation, high, None)


def test_images_that_do_not_fit_are_refused(solver: Solver) -> None:
    with pytest.raises(SolverError, match="24 x 16 pixels for 5 x 4 at the ratio 4; crop both"):
        solver(PAIRS.observation[..., :5, :], PAIRS.multispectral, None)
    with pytest.raises(SolverError, match="give B x C x h x w and B x c x H x W of the same scenes"):
        solver(PAIRS.observation[:1], PAIRS.multispectral, None)
    with pytest.raises(SolverError, match="got an empty image"):
        solver(PAIRS.observation, PAIRS.multispectral[:, :0], None)
    with pytest.raises(SolverError, match=r"image of torch\.int64; scale it to floating point"):
        solver(PAIRS.observation.long(), PAIRS.multispectral, None)


@pytest.mark.parametrize("name", [name for name in SOLVERS if name != "GSA"])
def test_a_response_that_does_not_fit_is_refused(name: str) -> None:
    with pytest.raises(
        SolverError, match="spectral response of shape \\[3, 8\\] for 3 multispectral channels and 9 bands"
    ):
        SOLVERS[name](PAIRS.observation, PAIRS.multispectral, PAIRS.response[:, :8])
    with pytest.raises(SolverError, match="zero or not finite; choose the response of the sensor"):
        SOLVERS[name](PAIRS.observation, PAIRS.multispectral, PAIRS.response * torch.tensor([[1.0], [0.0], [1.0]]))


def test_images_below_zero_have_no_mixture() -> None:
    low = PAIRS.observation - 2
    for method in (CNMF(endmembers=3, inner_iterations=5), ICCV15(endmembers=3, iterations=5)):
        with pytest.raises(SolverError, match="100 % of the hyperspectral image of scene 0 is below 0"):
            method.solve(low, PAIRS.multispectral, 1.5)
        with pytest.raises(SolverError, match="100 % of the multispectral image of scene 0 is below 0"):
            method.solve(PAIRS.observation, PAIRS.multispectral - 2, 1.5)
    assert bool(GSA().solve(low, PAIRS.multispectral, 1.5).restored.isfinite().all())


def test_an_answer_that_is_not_finite_is_none() -> None:
    def divide(_scene: int, low: Tensor, _high: Tensor) -> Fused:
        return Fused(low / (low.sum() * 0), 1 / float(low.sum() > 1e9))

    with pytest.raises(SolverError, match="X has no finite answer for scene 0: bring the values"):
        solve_scenes("X", PAIRS.observation, PAIRS.multispectral, divide)
    with pytest.raises(SolverError, match="X has no finite answer for scene 0"):
        solve_scenes("X", PAIRS.observation, PAIRS.multispectral, lambda *images: Fused(images[1] / 0))
