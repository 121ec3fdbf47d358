"""What starts the Triton kernels: arguments, grids and sums of parts, with the kernels' work done in torch loops."""

from __future__ import annotations

import sys

import pytest
import torch

from lightning_modules.networks.layers import selective_scan as package
from lightning_modules.networks.layers.selective_scan import backends, time_blocks
from lightning_modules.networks.layers.selective_scan.time_blocks import TimeBlocks
from lightning_modules.networks.layers.selective_scan.triton_blocks import TritonBlocks, _power_of_two
from tests.lightning_modules.networks.layers.selective_scan.plain_kernels import plain_kernels
from tests.lightning_modules.networks.layers.selective_scan.samples import (
    largest_error,
    outputs_and_gradients,
    scan_arguments,
    second_input,
)

PLACE = f"{package.__name__}.triton_kernels"


@pytest.fixture(autouse=True)
def kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels in torch loops, chunks of 4 positions, two a block."""
    module = plain_kernels()
    monkeypatch.setitem(sys.modules, PLACE, module)
    monkeypatch.setattr(package, "triton_kernels", module, raising=False)
    monkeypatch.setattr(backends, "_check_triton", lambda u: None)
    monkeypatch.setattr(TritonBlocks, "chunk", 4)
    monkeypatch.setattr(time_blocks, "_CACHED_ELEMENTS", 16)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("with_second", [False, True])
@pytest.mark.parametrize(
    ("batch", "channels", "states", "length", "groups"), [(1, 2, 3, 19, 0), (2, 4, 2, 5, 2), (1, 66, 1, 3, 0)]
)
def test_scan_and_gradients_equal_the_reference(
    batch: int, channels: int, states: int, length: int, groups: int, with_second: bool, reverse: bool
) -> None:
    arguments = scan_arguments(batch, channels, states, length, groups)
    second = second_input(arguments) if with_second else None
    expected = outputs_and_gradients("reference", arguments, second, reverse=reverse)
    found = outputs_and_gradients("triton", arguments, second, reverse=reverse)
    assert largest_error(found, expected) <= 1e-5


@pytest.mark.parametrize(
    ("states", "width", "padded", "tile", "parts"),
    [(16, 80, 16, 64, 2), (5, 3, 8, 4, 1), (256, 64, 256, 4, 16), (2048, 7, 2048, 1, 7)],
)
def test_tiles_are_powers_of_two_that_stay_in_registers(
    states: int, width: int, padded: int, tile: int, parts: int
) -> None:
    blocks = TimeBlocks.plan(40, 2 * states * width, 1, "cuda", chunk=4)
    scan = TritonBlocks(blocks, -torch.ones(2, states, width))
    assert (scan._tiles, scan._parts) == ({"padded": padded, "tile": tile}, parts)
    assert scan._grid(10) == (10, 2, parts)
    assert tile * parts >= width


def test_power_of_two_is_the_next_one() -> None:
    assert [_power_of_two(size) for size in (1, 2, 3, 4, 5, 16, 17)] == [1, 2, 4, 4, 8, 16, 32]
