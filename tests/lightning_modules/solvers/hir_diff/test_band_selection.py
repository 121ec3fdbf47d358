"""Band selection beside the recorded choices of the official strong rank-revealing QR."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
import torch

from lightning_modules.solvers import SolverError
from lightning_modules.solvers.hir_diff.band_selection import band_coefficients, strong_columns
from tests.lightning_modules.solvers.hir_diff.recorded_step import cube, stream


def test_recorded_columns(golden: ModuleType, shared: Path) -> None:
    spec, outputs = golden.load_case(shared / "golden" / "diffusion", "hirdiff_rrqr")
    chosen = [
        strong_columns(torch.from_numpy(stream(f"rrqr:{number}").standard_normal((3, 31))))
        for number in spec["input"]["matrix_n"]
    ]
    assert chosen == outputs["matrix_first_three"].long().tolist()


def test_recorded_coefficients(golden: ModuleType, shared: Path) -> None:
    _, outputs = golden.load_case(shared / "golden" / "diffusion", "hirdiff_rrqr")
    coefficients, bands = band_coefficients(cube(golden, 31, 32)[0])
    assert bands == outputs["bands"].long().tolist()
    assert golden.relative_error(coefficients, outputs["coefficient"][0]) < 1e-5


def test_no_column_left_out_has_a_large_coefficient() -> None:
    generator = torch.Generator().manual_seed(0)
    for rows in (2, 3, 5):
        matrix = torch.randn(rows, 17, generator=generator, dtype=torch.float64)
        chosen = strong_columns(matrix, bound=1.2)
        assert torch.linalg.solve(matrix[:, chosen], matrix).abs().max() <= 1.2 + 1e-12


def test_even_bands_and_an_exact_cube() -> None:
    spectra = torch.rand(20, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    maps = torch.rand(3, 6, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    exact = torch.einsum("ck,khw->chw", spectra, maps)
    for selection in ("rrqr", "even"):
        coefficients, bands = band_coefficients(exact, selection)
        assert (torch.einsum("ck,khw->chw", coefficients, exact[bands]) - exact).abs().max() < 1e-10
    assert bands == [5, 10, 15]


def test_cubes_without_three_dimensions_are_refused() -> None:
    with pytest.raises(SolverError, match="spans fewer than 3 dimensions"):
        band_coefficients(torch.ones(5, 4, 4))
    with pytest.raises(SolverError, match="3 bands of a cube that has 3"):
        band_coefficients(torch.rand(3, 4, 4))
    with pytest.raises(SolverError, match="'best'; take one of rrqr, even"):
        band_coefficients(torch.rand(5, 4, 4), "best")  # type: ignore[arg-type]
