"""What is measured: networks, the scan, the transfer and solvers, each as a piece of work of a given size."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

import lightning_modules
from callbacks.transfer import LossWeights, SpectralTransfer
from callbacks.transfer.descriptors import PatchDescriptors
from callbacks.transfer.estimation import CPU_BLOCK_PIXELS, TransportEstimation
from callbacks.transfer.exact_search import TorchExactSearch
from callbacks.transfer.refinement import refine
from callbacks.transfer.transport import TransportOperator
from experiments.commands.gpu_check.checks.scan import drawn as drawn_scan
from experiments.commands.gpu_check.checks.scan import with_gradients
from experiments.commands.gpu_check.checks.solvers import FUSERS, RESTORERS
from experiments.commands.gpu_check.checks.specimens import FUSION, RESTORATION, built, inputs_of, smooth
from hyperalign.seeding import generator_for

Work = Callable[[], object]
Subject = Callable[[int, int, torch.device], Work]
"""Given the side of a scene in pixels, its bands and a device, returns the work, all of it prepared."""

ITERATIONS = 5
"""Of solvers; ICCV15's and CNMF's inner ones are left as they are."""

KEEP = 16
RATIO = 8
"""Of fusion."""

WIDTH = {"co2if": 512}
"""Width of the text tokens of the networks that read text."""


CHANGES: dict[str, dict[str, Any]] = {"s2cyclediff": {"steps": 3}}
"""What is measured of a network that does the same many times: three of its steps."""


def _network(stem: str, side: int, bands: int, device: torch.device) -> Work:
    network = built(stem, compact=False, bands=bands, **CHANGES.get(stem, {})).to(device).eval()
    inputs = [one.to(device) for one in inputs_of(stem, side, bands=bands, text_width=WIDTH.get(stem, 0))]
    return partial(_inferred, network, inputs)


@torch.no_grad()
def _inferred(network: nn.Module, inputs: list[Tensor]) -> object:
    return network(*inputs)


def _training_step(side: int, bands: int, device: torch.device) -> Work:
    network = built("co2if", compact=False, bands=bands).to(device).train()
    inputs = [one.to(device) for one in inputs_of("co2if", side, bands=bands, text_width=WIDTH["co2if"])]
    target = smooth(1, bands, side).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)

    def step() -> None:
        with torch.enable_grad():
            loss = nn.functional.l1_loss(network(*inputs), target)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


def _scan(side: int, bands: int, device: torch.device) -> Work:
    tensors = drawn_scan(side * side * bands // 8, device, second=False)

    def both() -> list[Tensor]:
        with torch.enable_grad():
            return with_gradients(tensors, "auto")

    return both


def _transfer(part: str, side: int, bands: int, device: torch.device) -> Work:
    """One part of the spectral transfer for one guide: `search`, `refinement`, `step` or `application`."""
    cube = smooth(1, bands, side)[0].to(device)
    proxy_rgb = torch.stack([part.mean(0) for part in cube.tensor_split(3)])
    guide_rgb = proxy_rgb.roll((1, 2), (1, 2))
    proxy, guide = PatchDescriptors(proxy_rgb), PatchDescriptors(guide_rgb)
    seeds = _near(side, device)
    if part == "search":
        queries = guide.chunk(0, min(guide.count, 1024))
        return partial(TorchExactSearch(proxy).search, queries, KEEP)
    if part == "refinement":
        return partial(refine, guide, proxy, seeds, 1, KEEP)
    candidates = seeds.t().reshape(KEEP, 1, side, side)
    distances = torch.rand(candidates.shape, generator=generator_for("benchmark distances")).to(device)
    block = CPU_BLOCK_PIXELS if device.type == "cpu" else side * side
    settings = SpectralTransfer().estimation
    given = (proxy_rgb, guide_rgb[:, None], candidates, distances, LossWeights(), settings)
    state = TransportEstimation(*given, block_pixels=block)
    if part == "step":
        return state.step
    operator: TransportOperator = state.operators()[0]
    return partial(operator.apply, cube)


def _near(side: int, device: torch.device) -> Tensor:
    """Candidates near the true place, as a search finds them: flat pixel numbers, n x K."""
    offsets = torch.randint(-4, 5, (2, side, side, KEEP), generator=generator_for("benchmark candidates"))
    rows = (torch.arange(side)[:, None, None] + offsets[0]).clamp(0, side - 1)
    columns = (torch.arange(side)[None, :, None] + offsets[1]).clamp(0, side - 1)
    return (rows * side + columns).view(-1, KEEP).to(device)


def _restorer(name: str, side: int, bands: int, device: torch.device) -> Work:
    solver: Any = getattr(lightning_modules, name)(iterations=ITERATIONS)
    clean = smooth(1, bands, side)
    noisy = clean + 0.1 * torch.randn(clean.shape, generator=generator_for("benchmark noise"))
    return partial(solver.solve, noisy.to(device))


def _fuser(name: str, side: int, bands: int, device: torch.device) -> Work:
    solver: Any = getattr(lightning_modules, name)()
    low, image = (one.to(device) for one in inputs_of("bdt", side, bands=bands))
    return partial(solver.solve, low, image, phase=(RATIO - 1) / 2)


SUBJECTS: dict[str, Subject] = {
    **{stem: partial(_network, stem) for stem in (*RESTORATION, *FUSION)},
    "co2if training step": _training_step,
    "selective scan, both passes": _scan,
    **{f"transfer: {part}": partial(_transfer, part) for part in ("search", "refinement", "step", "application")},
    **{f"{name}, {ITERATIONS} iterations": partial(_restorer, name) for name in RESTORERS},
    **{name: partial(_fuser, name) for name in FUSERS},
}
"""By name, in the order of the page."""
