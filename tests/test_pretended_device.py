"""Networks, solvers and the transfer stay on the device of their input, which no machine needs a GPU to tell."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
import torch
from _pytest.mark.structures import ParameterSet
from torch import Tensor

import lightning_modules
from callbacks import PhotometricGuides
from callbacks.transfer import Retrieval, SpectralTransfer
from experiments.commands.gpu_check.checks.networks import objective_of
from experiments.commands.gpu_check.checks.solvers import FUSERS, RESTORERS
from experiments.commands.gpu_check.checks.specimens import FUSION, RESTORATION, built, inputs_of, smooth
from experiments.commands.gpu_check.checks.transfer import drawn
from hyperalign.seeding import generator_for
from tests.pretended_device import computed_there, moved, pretended, wrapped

LEFT_ALONE = {"mcnet"}
"""Networks whose backward pass cannot be pretended: a bias changes its shape within a product of vectors."""


def chosen(names: Sequence[str], quick: set[str]) -> list[ParameterSet]:
    """All names, those that are not quick for `make slow` alone: a pretended device takes seconds."""
    return [pytest.param(name, marks=[] if name in quick else [pytest.mark.slow]) for name in names]


def test_a_tensor_left_on_the_cpu_is_found() -> None:
    with pytest.raises(RuntimeError, match="meets tensors of two devices"):
        computed_there(lambda device: torch.ones(3, device=device) + torch.ones(3))
    with pytest.raises(RuntimeError, match="a generator of the CPU"):
        computed_there(lambda device: torch.rand(3, device=device, generator=torch.Generator()))
    with pytest.raises(TypeError, match="cannot become an array"):
        computed_there(lambda device: torch.from_numpy(torch.ones(3, device=device).numpy()))
    with pytest.raises(AssertionError, match="left on the CPU"):
        computed_there(lambda device: torch.ones(3, device=device).cpu())
    assert torch.equal(computed_there(lambda device: torch.ones(3, device=device) * 2), torch.full((3,), 2.0))


@pytest.mark.parametrize("stem", chosen([*RESTORATION, *FUSION], {"sert", "srlf", "co2if"}))
def test_networks_forward_and_backward(stem: str) -> None:
    network = built(stem, compact=True).eval()
    width = FUSION["co2if"]["text_width"] if stem == "co2if" else 0
    inputs = inputs_of(stem, 64 if stem == "grn" else 16, text_width=width)
    with torch.no_grad():
        expected: Tensor = network(*inputs)
    with pretended():
        there: list[Tensor] = [wrapped(one) for one in inputs]
        moved(network)
        with torch.no_grad():
            found: Tensor = network(*there)
        assert found.device.type == "meta"
        torch.testing.assert_close(found.cpu(), expected, rtol=1e-3, atol=1e-4)
        if stem not in LEFT_ALONE:
            objective_of(network, there).backward()
            assert any(one.grad is not None for one in network.parameters())


@pytest.mark.parametrize("name", chosen(RESTORERS, {"WhitenedRCTV"}))
def test_restorers(name: str) -> None:
    solver: Any = getattr(lightning_modules, name)(iterations=2)
    noisy = smooth(1, 16, 20) + 0.1 * torch.randn(1, 16, 20, 20, generator=generator_for(name))
    found = computed_there(lambda device: solver.solve(wrapped(noisy)).restored)
    torch.testing.assert_close(found, solver.solve(noisy).restored, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", chosen(FUSERS, {"GSA"}))
def test_fusers(name: str) -> None:
    more = {"CNMF": {"inner_iterations": 3}, "ICCV15": {"iterations": 5}}
    solver: Any = getattr(lightning_modules, name)(**more.get(name, {}))
    low, image = inputs_of("bdt", 32)
    fused = partial(solver.solve, phase=3.5)
    found = computed_there(lambda device: fused(wrapped(low), wrapped(image)).restored)
    if (
        name != "FUSE"
    ):  # which magnifies rounding without bounds where a subspace has hardly more pixels than dimensions
        torch.testing.assert_close(found, fused(low, image).restored, rtol=1e-3, atol=1e-3)


def test_the_transfer_and_its_guides() -> None:
    proxy, _, cube = drawn(16, guides=1)
    transfer = SpectralTransfer(steps=2, retrieval=Retrieval(engine="torch"), backend="torch")

    def synthesised(proxy_rgb: Tensor, values: Tensor) -> Tensor:
        guide = PhotometricGuides()(proxy_rgb, 1, generator_for("guide"))[0]
        operator = transfer.estimate(proxy_rgb, guide)
        assert operator.displacement().device == operator.support().device == proxy_rgb.device
        assert operator.kappa(2) >= 1
        return operator.apply(values)

    found = computed_there(lambda device: synthesised(wrapped(proxy), wrapped(cube)))
    torch.testing.assert_close(found, synthesised(proxy, cube), rtol=1e-4, atol=1e-5)
