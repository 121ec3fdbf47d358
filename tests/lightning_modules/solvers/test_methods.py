"""Training-free methods as modules: their functions' arguments and defaults, precision, and what tells them apart."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_modules.solvers import methods
from lightning_modules.solvers.methods import RCTV, TrainingFree
from lightning_modules.solvers.result import Progress, SolverError, SolverResult

KINDS: list[type[TrainingFree]] = [getattr(methods, name) for name in methods.__all__ if name != "TrainingFree"]
OF_ONE_CALL = {"progress", "start", "noise"}
"""Arguments that are no settings: what is told of one cube."""


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_module_takes_the_arguments_of_its_function_and_passes_every_one_on(kind: type[TrainingFree]) -> None:
    function = inspect.signature(kind.method).parameters
    wanted = set(function) - OF_ONE_CALL - {next(iter(function))}
    if kind is methods.LRTDTV:
        wanted.remove("beta")  # with it the method is LRTDTVG
    given = inspect.signature(kind.__init__).parameters
    assert set(given) - {"self"} == wanted
    assert kind().settings == {name: function[name].default for name in wanted}
    changed: dict[str, Any] = {name: object() for name in wanted}
    assert kind(**changed).settings == changed


SEEN: list[Tensor] = []


def halved(cubes: Tensor, share: float = 0.5, progress: Progress | None = None) -> SolverResult:
    """Keep what was given."""
    SEEN.append(cubes)
    zeros = torch.zeros(len(cubes))
    return SolverResult(share * cubes, zeros, zeros.long(), zeros == 0)


class Halved(TrainingFree):
    """A method whose work is seen."""

    method = staticmethod(halved)


@pytest.mark.parametrize(
    ("given", "computed"),
    [(torch.bfloat16, torch.float32), (torch.float32, torch.float32), (torch.float64, torch.float64)],
)
def test_methods_work_in_float32_at_least_without_gradients_and_autocast(
    given: torch.dtype, computed: torch.dtype
) -> None:
    observation = torch.rand(1, 2, 3, 3).to(given).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        restored = Halved(share=0.25)(observation)
    assert SEEN[-1].dtype == restored.dtype == computed
    assert not restored.requires_grad
    torch.testing.assert_close(restored, 0.25 * observation.detach().to(computed))


def test_settings_tell_one_use_from_another() -> None:
    assert repr(methods.LRMR(rank=3)) != repr(methods.LRMR(rank=4))
    assert "threshold=0.15" in repr(methods.LRMR())
    assert list(methods.RCTV().parameters()) == []
    assert [kind.__name__ for kind in KINDS if kind.local] == ["LRMR", "BandInterpolation"]


def test_complex_values_are_refused_before_a_part_of_them_is_lost() -> None:
    with pytest.raises(SolverError, match=r"RCTV restores real values, not torch\.complex64: take one part"):
        RCTV(rank=2)(torch.rand(1, 3, 8, 8).to(torch.complex64))
