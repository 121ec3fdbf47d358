"""Enlarging as the published networks do it: pixels' places, constants, precision."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.networks.fusion.enlargement import enlarge_bicubic, enlarge_from_phase
from lightning_modules.networks.upsampled import upsample_bicubic


def cubic(distance: float) -> float:
    """The kernel with a = -0.75."""
    x, a = abs(distance), -0.75
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0


@pytest.mark.parametrize("corners", [False, True])
def test_rows_are_interpolated_by_the_kernel_from_where_their_pixels_lie(corners: bool) -> None:
    row = torch.rand(5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = enlarge_bicubic(row.view(1, 1, 1, 5), 3, align_corners=corners)[0, 0, 0]
    for place in range(15):
        position = place * 4 / 14 if corners else (place + 0.5) / 3 - 0.5
        near = range(int(position // 1) - 1, int(position // 1) + 3)
        expected = sum(cubic(position - one) * float(row[min(max(one, 0), 4)]) for one in near)
        assert float(found[place]) == pytest.approx(expected, abs=1e-6)


def test_ratio_one_is_the_cube_itself_and_half_precision_is_left() -> None:
    cube = torch.rand(2, 3, 4, 5)
    assert enlarge_bicubic(cube, 1) is cube
    assert enlarge_bicubic(cube.bfloat16(), 2).dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(enlarge_bicubic(cube, 2), enlarge_bicubic(cube, 2))
        assert enlarge_from_phase(cube.bfloat16(), 2, None).dtype == torch.float32
    torch.testing.assert_close(enlarge_bicubic(torch.full((1, 1, 3, 3), 0.3), 4), torch.full((1, 1, 12, 12), 0.3))


@pytest.mark.parametrize("phase", [None, 0.0, 1.5])
def test_a_phase_is_that_of_the_upsampling(phase: float | None) -> None:
    cube = torch.rand(1, 2, 5, 4, dtype=torch.float64)
    found = enlarge_from_phase(cube, 4, phase)
    assert found.dtype == torch.float64
    assert torch.equal(found, upsample_bicubic(cube, 4, phase))
    assert torch.equal(found, enlarge_from_phase(cube, 4, 1.5)) == (phase != 0.0)
