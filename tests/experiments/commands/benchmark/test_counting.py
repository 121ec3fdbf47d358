"""Operations, bytes and memory of pieces of work whose numbers are known."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from experiments.commands.benchmark.counting import Counter, counted
from experiments.commands.gpu_check.checks.specimens import built, inputs_of


def test_a_matrix_product_is_two_operations_a_term() -> None:
    left, right = torch.rand(5, 7), torch.rand(7, 3)
    found = counted(lambda: left @ right)
    assert (found.products, found.others) == (2 * 5 * 7 * 3, 0)
    assert found.moved == 4 * (5 * 7 + 7 * 3 + 5 * 3)
    assert counted(lambda: left @ torch.ones(7)).products == 2 * 5 * 7


def test_a_network_has_the_products_that_torch_counts() -> None:
    network, inputs = built("sert", compact=True).eval(), inputs_of("sert", 16)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*inputs)
    found = counted(lambda: network(*inputs))
    assert 0 < counter.get_total_flops() <= found.products < 1.5 * counter.get_total_flops()
    assert found.others > 0


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")
@pytest.mark.parametrize("stem", ["trq3d", "bi3dqrnn"])
def test_a_convolution_by_onednn_counts_as_any_other(stem: str) -> None:
    network, inputs = built(stem, compact=True).eval(), inputs_of(stem, 16)
    in_double = [one.double() for one in inputs]  # which oneDNN does not take
    elsewhere = counted(lambda: network.double()(*in_double))
    assert counted(lambda: network.float()(*inputs)).products == elsewhere.products > 0


def test_what_is_elementwise_counts_each_value_once_and_views_count_nothing() -> None:
    values = torch.rand(6, 4)
    assert (counted(lambda: values + 1).others, counted(lambda: values + 1).moved) == (24, 2 * 4 * 24)
    assert counted(lambda: values.t().reshape(4, 6)[1:].unsqueeze(0)).others == 0
    assert counted(lambda: values.t()[1:]).moved == 0
    assert counted(lambda: values.sum()).others == 24


def test_in_place_reads_and_writes_and_a_copy_reads_the_other() -> None:
    values, others = torch.rand(10), torch.rand(10)
    assert counted(lambda: values.add_(1)).moved == 2 * 40
    found = counted(lambda: values.copy_(others))
    assert (found.moved, found.others) == (2 * 40, 0)


def test_a_repeated_tensor_is_read_where_it_lies() -> None:
    once, whole = torch.rand(1, 8), torch.rand(100, 8)
    assert counted(lambda: once.expand(100, 8) * whole).moved == 4 * (8 + 800 + 800)


def test_choosing_reads_what_it_gives() -> None:
    table, places = torch.rand(1000, 4), torch.tensor([3, 5])
    assert counted(lambda: table.index_select(0, places)).moved == 4 * 8 + 4 * 8 + 8 * 2


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        (lambda cube: torch.linalg.qr(cube), 2 * 4 * 4**2 * (6 - 1)),
        (lambda cube: torch.linalg.svd(cube, full_matrices=False), 2 * (4 * 6 * 4**2 + 22 * 4**3)),
        (lambda cube: torch.linalg.eigh(cube[:, :4] @ cube[:, :4].mT), 2 * 9 * 4**3),
    ],
)
def test_factorisations_are_counted_by_their_leading_terms(work: object, expected: int) -> None:
    cube = torch.rand(2, 6, 4)
    assert callable(work)
    others = counted(lambda: work(cube)).others
    assert expected <= others <= expected + 400


def test_a_fourier_transform_is_five_n_log_n() -> None:
    signal = torch.rand(1, 64, dtype=torch.complex64)
    assert counted(lambda: torch.fft.fft(signal)).others == 5 * 64 * int(math.log2(64))


def test_memory_is_the_most_alive_at_one_time() -> None:
    def work() -> None:
        first = torch.ones(1000)
        second = first + 1
        del first
        third = second.view(10, 100) * 2
        del second, third
        torch.ones(1500)

    assert counted(work).most == 8000


def test_gradients_are_counted_too() -> None:
    weights = torch.rand(4, 4, requires_grad=True)
    images = torch.rand(3, 4)
    counter = Counter()
    with counter:
        functional.linear(images, weights).sum().backward()
    assert counter.products == 2 * (2 * 3 * 4 * 4)
