"""Bicubic resizing against recorded MATLAB-compatible outputs, an independent slow formula, and torch."""

import json
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from datamodules.degradations import BicubicDownsampling, bicubic_resize, bicubic_upsample
from datamodules.degradations.resize import cubic_kernel, resize_matrix
from tests.datamodules.degradations.slow_resize import slow_resize


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("size", "new_size"),
    [(16, 4), (8, 2), (4, 1), (12, 4), (10, 5), (12, 5), (7, 7), (4, 16), (3, 6), (1, 4), (5, 15), (5, 12)],
)
def test_matrix_equals_the_slow_formula(size: int, new_size: int) -> None:
    signal = torch.rand(size, dtype=torch.float64, generator=seeded(size))
    expected = torch.tensor(slow_resize(signal.tolist(), new_size), dtype=torch.float64)
    torch.testing.assert_close(resize_matrix(size, new_size) @ signal, expected, rtol=1e-12, atol=1e-13)


def test_sixteen_taps_of_an_inner_row() -> None:
    # Exact sixteenths of the kernel at odd multiples of 1/8, for the factor 4.
    weights = [-7, -45, -75, -49, 93, 399, 745, 987]
    expected = torch.tensor(weights + weights[::-1], dtype=torch.float64) / 4096
    row = resize_matrix(64, 16)[8]
    torch.testing.assert_close(row[26:42], expected, rtol=1e-14, atol=0)
    assert row.count_nonzero() == 16


@pytest.mark.parametrize("convention", ["matlab", "align_corners"])
@pytest.mark.parametrize(("size", "new_size"), [(64, 16), (9, 4), (4, 16), (1, 5)])
def test_constants_are_kept(convention: str, size: int, new_size: int) -> None:
    total = resize_matrix(size, new_size, convention).sum(dim=1)
    torch.testing.assert_close(total, torch.ones_like(total), rtol=0, atol=1e-14)


def test_same_size_is_the_identity() -> None:
    for convention in ("matlab", "align_corners"):
        assert torch.equal(resize_matrix(6, 6, convention), torch.eye(6, dtype=torch.float64))


@pytest.mark.parametrize(
    ("size", "new_size"),
    [((16, 24), (4, 6)), ((15, 9), (5, 3)), ((8, 8), (4, 4)), ((4, 4), (1, 1)), ((3, 5), (12, 20))],
)
def test_align_corners_is_that_of_torch(size: tuple[int, int], new_size: tuple[int, int]) -> None:
    cube = torch.rand(3, *size, dtype=torch.float64, generator=seeded(0))
    expected = interpolate(cube[None], new_size, mode="bicubic", align_corners=True)[0]
    resized = bicubic_resize(*size, *new_size, "align_corners").apply(cube)
    torch.testing.assert_close(resized, expected, rtol=1e-11, atol=1e-12)


def test_kernel_values() -> None:
    x = torch.tensor([0.0, 0.5, -0.5, 1.0, 1.5, 2.0, 3.0], dtype=torch.float64)
    assert cubic_kernel(x, -0.5).tolist() == [1, 0.5625, 0.5625, 0, -0.0625, 0, 0]


def test_golden_bicubic_x4(shared: Path) -> None:
    folder = shared / "golden" / "superresolution"
    spec = json.loads((folder / "bicubic_x4.json").read_text())
    golden = np.load(folder / "bicubic_x4.npz", allow_pickle=False)
    found = spec_from_file_location("golden_tool", shared / "golden" / "golden.py")
    assert found is not None
    assert found.loader is not None
    tool = module_from_spec(found)
    found.loader.exec_module(tool)
    cube = tool.draw_input(spec["input"]["name"], tuple(spec["input"]["shape"]), spec["seed"])[0]
    expected = torch.from_numpy(golden["output"][0])
    observation = BicubicDownsampling()(cube, seeded(0))
    assert ((observation - expected).norm() / expected.norm()).item() < 2e-7
    assert ((observation - expected).abs().max() / expected.abs().max()).item() < 1e-6
    enlarged = bicubic_upsample(expected, 4)[::4]
    upsampled = torch.from_numpy(golden["upsampled"][0])
    assert ((enlarged - upsampled).norm() / upsampled.norm()).item() < 2e-7
    # The other libraries' bicubic reductions are not this one.
    other = torch.from_numpy(golden["alt:torch_antialias"][0])
    assert ((observation[:2] - other).norm() / other.norm()).item() > 0.005


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: BicubicDownsampling(0), "scale of the bicubic downsampling is 0 but must be at least 1"),
        (lambda: BicubicDownsampling(4, "area"), "downsampling is 'area' but must be one of matlab, align_corners"),
        (
            lambda: BicubicDownsampling(4)(torch.zeros(3, 66, 64), seeded(0)),
            "66 x 64 pixels cannot be reduced 4 times; crop it to multiples of 4",
        ),
        (lambda: bicubic_upsample(torch.zeros(1, 4, 4), 0), "upsampling got the scale 0 but it must be at least 1"),
        (lambda: resize_matrix(4, 0), "sizes of at least 1 pixel but got 4 to 0"),
        (lambda: resize_matrix(4, 2, "cubic"), "bicubic resize is 'cubic' but must be one of matlab, align_corners"),
    ],
)
def test_bad_arguments_are_refused(call: Callable[[], object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        call()
