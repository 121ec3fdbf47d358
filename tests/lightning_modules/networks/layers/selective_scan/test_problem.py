"""One form for every backend: shapes refused with a sentence, groups, step sizes and floating types."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_modules.networks.layers.selective_scan import SecondInput, selective_scan
from lightning_modules.networks.layers.selective_scan.problem import ScanProblem, prepare
from tests.lightning_modules.networks.layers.selective_scan.samples import scan_arguments


def changed(**changes: Tensor) -> dict[str, Any]:
    return {**dict(zip(["u", "delta", "A", "B", "C", "D"], scan_arguments(groups=2), strict=True)), **changes}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"u": torch.ones(4, 20)}, "u has shape (4, 20), wanted batch x channels x length"),
        ({"u": torch.ones(2, 4, 0)}, "u has shape (2, 4, 0), wanted batch x channels x length, none of them empty"),
        ({"delta": torch.ones(2, 4, 19)}, "delta has shape (2, 4, 19), wanted 2 x 4 x 20"),
        ({"A": torch.ones(5, 3)}, "A has shape (5, 3), wanted 4 x states"),
        ({"A": torch.ones(4, 3, dtype=torch.complex64)}, "A is complex"),
        ({"B": torch.ones(2, 4, 20)}, "B has shape (2, 4, 20), wanted 2 x 3 x 20 or 2 x groups x 3 x 20"),
        ({"C": torch.ones(2, 3, 3, 20)}, "C has 3 groups, which do not divide the 4 channels of u"),
        ({"C": torch.ones(2, 4, 3, 20)}, "B and C have different numbers of groups (2, 4)"),
        ({"D": torch.ones(3)}, "D has shape (3,), wanted 4"),
        ({"z": torch.ones(2, 4, 21)}, "z has shape (2, 4, 21), wanted 2 x 4 x 20"),
        ({"delta_bias": torch.ones(3)}, "delta_bias has shape (3,), wanted 4"),
        (
            {"second": SecondInput(torch.ones(2, 1, 20), torch.ones(2, 3, 20))},
            "delta of the second input has shape (2, 1, 20), wanted 2 x 4 x 20",
        ),
        (
            {"second": SecondInput(torch.ones(2, 4, 20), torch.ones(2, 4, 20))},
            "B of the second input has shape (2, 4, 20), wanted 2 x 3 x 20",
        ),
        (
            {"backend": "fast"},
            "there is no backend 'fast', choose one of auto, reference, chunked, compiled, triton, mamba_ssm",
        ),
    ],
)
def test_what_does_not_fit_gets_a_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        selective_scan(**changed(**changes))


def prepared(**changes: Any) -> ScanProblem:  # noqa: ANN401 - arguments of `prepare`
    given = {"delta_bias": None, "delta_softplus": False, "second": None, "reverse": False}
    return prepare(*scan_arguments(groups=2)[:5], **(given | changes))


def test_step_sizes_are_final_and_the_second_ones_carry_lambda() -> None:
    u, delta, _, b, _, _ = scan_arguments(groups=2)
    bias, other = torch.linspace(-1, 1, 4), torch.full_like(u, 0.3)
    second = SecondInput(other, b.flip(0), 0.25, 2 * bias)
    problem = prepared(delta_bias=bias, delta_softplus=True, second=second, reverse=True)
    torch.testing.assert_close(problem.steps, torch.log1p(torch.exp(delta + bias[:, None])))
    assert problem.second_steps is not None and problem.second_entry is not None
    torch.testing.assert_close(problem.second_steps, 0.25 * torch.log1p(torch.exp(other + 2 * bias[:, None])))
    assert torch.equal(problem.second_entry, b.flip(0))
    assert problem.reverse
    assert torch.equal(prepared().steps, delta)
    assert prepared().second_steps is None


def test_matrices_get_their_groups_and_all_tensors_one_type() -> None:
    u, delta, a, b, c, _ = (one.bfloat16() for one in scan_arguments(groups=2))
    given = {"delta_bias": None, "delta_softplus": False, "second": None, "reverse": False}
    problem = prepare(u, delta, a, b[:, 0], c, **given)  # type: ignore[arg-type]
    assert problem.entry.shape == problem.readout.shape == (2, 2, 3, 20)
    assert torch.equal(problem.entry[:, 0], problem.entry[:, 1])
    tensors = (problem.inputs, problem.steps, problem.decay, problem.entry, problem.readout)
    assert {one.dtype for one in tensors} == {torch.float32}
    double = prepare(u.double(), delta, a, b, c, **given)  # type: ignore[arg-type]
    assert {double.steps.dtype, double.decay.dtype, double.readout.dtype} == {torch.float64}


def test_step_sizes_have_softplus_gradients_and_keep_their_result_alone() -> None:
    steps = torch.linspace(-30, 30, 61, dtype=torch.float64).expand(1, 2, -1).clone().requires_grad_()
    u, matrix = torch.ones(1, 2, 61, dtype=torch.float64), torch.ones(1, 1, 61)
    kept: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        found = prepare(
            *(u, steps, -torch.ones(2, 1), matrix, matrix),
            delta_bias=None,
            delta_softplus=True,
            second=None,
            reverse=False,
        ).steps
    torch.testing.assert_close(found, torch.nn.functional.softplus(steps))
    assert [one.data_ptr() for one in kept] == [found.data_ptr()]
    found.sum().backward()
    torch.testing.assert_close(steps.grad, torch.sigmoid(steps.detach()), rtol=1e-8, atol=1e-12)
