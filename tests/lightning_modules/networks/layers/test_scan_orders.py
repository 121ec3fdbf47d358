"""Scan orders are permutations; the continuous ones never jump."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from lightning_modules.networks.layers.scan_orders import axis_order, both_directions, four_directions, inverse

AXES = list(itertools.permutations(range(3)))


def jumps(order: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """City-block distance between positions that follow each other."""
    places = torch.stack(torch.unravel_index(order, sizes))
    return places.diff(dim=1).abs().sum(0)


@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("sizes", [(3, 4, 5), (2, 2, 2), (1, 3, 1), (5, 1, 4)])
def test_axis_orders_visit_every_position_once(sizes: tuple[int, ...], axes: tuple[int, ...], continuous: bool) -> None:
    order = axis_order(sizes, axes, continuous=continuous)
    assert order.dtype == torch.long
    assert order.sort().values.equal(torch.arange(sizes[0] * sizes[1] * sizes[2]))
    assert order[inverse(order)].equal(torch.arange(order.numel()))
    if continuous:
        assert (jumps(order, sizes) == 1).all()


def test_continuous_scan_in_three_dimensions_is_the_published_pair_of_flips() -> None:
    """Odd rows along the last axis first, then odd planes along both inner axes (SSUMamba)."""
    cube = torch.arange(4 * 3 * 5).reshape(4, 3, 5)
    arranged = cube.permute(2, 0, 1).clone()
    arranged[:, 1::2] = arranged[:, 1::2].flip(2)
    arranged[1::2] = arranged[1::2].flip(1, 2)
    assert axis_order((4, 3, 5), (2, 0, 1), continuous=True).equal(arranged.flatten())


def test_without_continuity_an_order_is_the_transposed_lattice() -> None:
    cube = torch.arange(24).reshape(2, 3, 4)
    assert axis_order((2, 3, 4), (1, 2, 0)).equal(cube.permute(1, 2, 0).flatten())
    assert axis_order((2, 3, 4)).equal(cube.flatten())


def test_small_serpentine() -> None:
    assert axis_order((3, 3), continuous=True).tolist() == [0, 1, 2, 5, 4, 3, 6, 7, 8]


def test_four_directions_are_rows_columns_and_their_reverses() -> None:
    assert four_directions(2, 3).tolist() == [
        [0, 1, 2, 3, 4, 5],
        [0, 3, 1, 4, 2, 5],
        [5, 4, 3, 2, 1, 0],
        [5, 2, 4, 1, 3, 0],
    ]
    for order in four_directions(4, 5, continuous=True):
        assert (jumps(order, (4, 5)) == 1).all()


def test_both_directions() -> None:
    assert both_directions(4).tolist() == [[0, 1, 2, 3], [3, 2, 1, 0]]


def test_inverse_undoes_every_row_of_a_stack() -> None:
    orders = four_directions(3, 4)
    image = torch.rand(2, 12)
    sequences = image[:, orders]
    undone = sequences.gather(2, inverse(orders).expand(2, -1, -1))
    assert all(undone[:, row].equal(image) for row in range(4))


def test_axes_that_are_no_arrangement_get_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"axis_order: axes \[0, 0, 2\] do not name each of the 3 axes once"):
        axis_order((2, 2, 2), (0, 0, 2))
