"""Bicubic reduction as a task: its operator, its sizes, its settings."""

from __future__ import annotations

import pytest
import torch

from datamodules.degradations import BicubicDownsampling
from datamodules.degradations.resize import resize_matrix
from tests.datamodules.degradations.slow_resize import slow_resize


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_cube_is_resized_along_rows_and_columns() -> None:
    cube = torch.rand(2, 12, 20, dtype=torch.float64, generator=seeded(0))
    small = BicubicDownsampling(4)(cube, seeded(0))
    rows = [[slow_resize(cube[b, :, c].tolist(), 3) for c in range(20)] for b in range(2)]
    expected = [[slow_resize([rows[b][c][i] for c in range(20)], 5) for i in range(3)] for b in range(2)]
    torch.testing.assert_close(small, torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("convention", ["matlab", "align_corners"])
@pytest.mark.parametrize("scale", [1, 2, 3])
def test_the_observation_is_the_operator_on_the_cube(scale: int, convention: str) -> None:
    cube = torch.rand(2, 6, 12, dtype=torch.float64, generator=seeded(0))
    generator = seeded(1)
    before = generator.get_state()
    small = BicubicDownsampling(scale, convention)(cube, generator)
    rows, columns = (resize_matrix(size, size // scale, convention) for size in (6, 12))
    torch.testing.assert_close(small, rows @ cube @ columns.T, rtol=1e-12, atol=1e-13)
    assert torch.equal(generator.get_state(), before)


def test_settings_tell_tasks_apart() -> None:
    assert BicubicDownsampling(2, "align_corners").settings() == {
        "class": "BicubicDownsampling",
        "scale": 2,
        "convention": "align_corners",
    }
    assert BicubicDownsampling().settings() == {"class": "BicubicDownsampling", "scale": 4, "convention": "matlab"}


@pytest.mark.parametrize("size", [(8, 9), (9, 8), (2, 8)])
def test_a_size_that_does_not_divide_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=rf"{size[0]} x {size[1]} pixels cannot be reduced 4 times; crop it to multi"):
        BicubicDownsampling()(torch.zeros(1, *size), seeded(0))
