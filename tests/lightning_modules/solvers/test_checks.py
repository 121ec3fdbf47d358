"""Sentences of the checks that the methods' own tests do not reach."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.solvers import SolverError, lrtdtv, lrtv, rctv

OBSERVED = torch.rand(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))


def test_parameters_above_zero() -> None:
    with pytest.raises(SolverError, match="RCTV needs a tau above zero, not -1"):
        rctv(OBSERVED, rank=2, tau=-1)


def test_a_start_of_another_shape_or_number_type_is_refused() -> None:
    with pytest.raises(SolverError, match=r"LRTV was given a start of shape \(1, 4, 8, 7\)"):
        lrtv(OBSERVED, rank=2, start=OBSERVED[..., :7])
    with pytest.raises(SolverError, match=r"in torch\.float64 for cubes of shape .* in torch.float32: both must agree"):
        lrtv(OBSERVED, rank=2, start=OBSERVED.double())


def test_a_spatial_rank_above_the_image_is_refused() -> None:
    with pytest.raises(SolverError, match="LRTDTV cannot keep a rank of 12 of 8 rows: ask for 1 to 8"):
        lrtdtv(OBSERVED, rank=2, spatial_rank=1.5)
