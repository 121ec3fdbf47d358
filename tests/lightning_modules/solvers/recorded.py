"""Recorded outputs of the published solvers, and the problems they were recorded on."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lightning_modules.solvers import SolverResult

CASES = ("noniid", "complex")
BANDS = [0, 15, 30]
SHAPE = (31, 64, 64)


@dataclass(frozen=True)
class Recorded:
    """A problem, what the published code made of it, and how near one has to come."""

    clean: Tensor
    observed: Tensor
    output: Tensor
    case: dict[str, Any]
    tolerance: dict[str, float]
    arrays: dict[str, Tensor]

    def psnr(self, restored: Tensor) -> float:
        """Mean over the bands, data range 1, without clipping."""
        return psnr(restored, self.clean)

    def distance(self, restored: Tensor) -> float:
        """Relative distance to the recorded bands."""
        difference = restored[0, BANDS].double() - self.output
        return float(difference.norm() / self.output.norm())

    def assert_met(self, solve: Callable[[Tensor], SolverResult], dtype: torch.dtype = torch.float64) -> None:
        """Element-wise where the facts state a tolerance for this number type, PSNR and iterations always."""
        result = solve(self.observed.to(dtype))
        element = self.tolerance[f"element_{str(dtype).split('.')[-1]}"]
        if element is not None:
            assert self.distance(result.restored) < element
        assert abs(self.psnr(result.restored) - self.case["output"]["psnr"]) < self.tolerance["psnr_db"]
        assert self.case["iterations"] in (None, int(result.iterations))


def psnr(restored: Tensor, clean: Tensor) -> float:
    """Mean over bands of the PSNR, data range 1."""
    error = (restored.double() - clean.double()).square().mean((-2, -1))
    return float((-10 * torch.log10(error)).mean())


def problems(shared: Path) -> Any:  # noqa: ANN401 # a module without types
    """Return the module that draws the problems."""
    spec = importlib.util.spec_from_file_location("problems", shared / "golden" / "classical" / "make_problem.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def recorded(shared: Path, name: str, case: str) -> Recorded:
    """Read a recorded case."""
    folder = shared / "golden" / "classical"
    facts = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    clean, noisy, _ = problems(shared).make_problem(case, SHAPE, 0)
    with np.load(folder / f"{name}.npz") as archive:
        arrays = {key: torch.from_numpy(archive[key]) for key in archive if key.startswith(case)}
    return Recorded(
        clean=torch.from_numpy(clean)[None],
        observed=torch.from_numpy(noisy)[None],
        output=arrays[f"{case}_output"],
        case=facts["cases"][case],
        tolerance=facts["tolerance"],
        arrays=arrays,
    )


def start(shared: Path, kind: str) -> Tensor:
    """The recorded random start, `1 x C x H x W`."""
    return torch.from_numpy(problems(shared).start(kind, SHAPE, 0))[None]
