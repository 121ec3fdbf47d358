"""Cutting sequences into blocks of chunks: every position once, in the order of the scan, there and back."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.networks.layers.selective_scan import time_blocks
from lightning_modules.networks.layers.selective_scan.time_blocks import ChunkBuffer, TimeBlocks


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("length", [1, 3, 4, 11, 12, 13, 25])
def test_spans_hold_every_position_once_in_the_order_of_the_scan(length: int, reverse: bool) -> None:
    blocks = TimeBlocks(length, 1, 4, 3, reverse)
    visited: list[int] = []
    chunks: list[int] = []
    for span in blocks.spans():
        own = list(range(span.start, span.stop))
        visited += own[::-1] if reverse else own
        chunks += range(span.first_chunk, span.first_chunk + span.chunks)
    assert visited == (list(range(length))[::-1] if reverse else list(range(length)))
    assert chunks == list(range(blocks.count))
    assert blocks.count == -(-length // 4)


@pytest.mark.parametrize("reverse", [False, True])
def test_blocks_are_laid_out_time_first_and_written_back(reverse: bool) -> None:
    tensor = torch.arange(2 * 3 * 5 * 10.0).view(2, 3, 5, 10)
    blocks = TimeBlocks(10, 3, 2, 2, reverse)
    target = torch.full_like(tensor, torch.nan)
    for span in blocks.spans():
        block = blocks.read(tensor, span)
        assert block.shape == (span.chunks * 2, 6, 5)
        for place in range(span.stop - span.start):
            position = span.stop - 1 - place if reverse else span.start + place
            assert torch.equal(block[place], tensor[..., position].flatten(0, 1))
        blocks.write(target, span, block)
    assert torch.equal(target, tensor)


def test_channels_of_a_group_stay_together() -> None:
    u = torch.arange(2 * 6 * 4.0).view(2, 6, 4)
    blocks = TimeBlocks(4, 3, 4, 1, False)
    (span,) = blocks.spans()
    block = blocks.read(u, span)
    assert block.shape == (4, 6, 2)
    assert torch.equal(block[1, 4], u[1, 2:4, 1]), "batch member 1, group 1"


def test_what_is_missing_of_the_last_chunk_is_zero() -> None:
    blocks = TimeBlocks(5, 1, 4, 2, False)
    (span,) = blocks.spans()
    block = blocks.read(torch.ones(1, 2, 5), span)
    assert block.shape == (8, 1, 2)
    assert block.flatten(1).sum(1).tolist() == [2.0] * 5 + [0.0] * 3


@pytest.mark.parametrize(
    ("length", "lanes", "device", "chunk", "wanted"),
    [
        (1000, 2**10, "cpu", None, (32, 16)),  # blocks of 512 positions
        (10**6, 2**4, "cpu", None, (256, 128)),  # of 32768: about as many chunks as positions in each
        (7, 2**10, "cpu", None, (7, 1)),
        (1000, 2**15, "cpu", None, (16, 1)),  # wide: one chunk at a time
        (1000, 2**20, "cpu", None, (16, 1)),  # never below 16
        (1000, 2**20, "cuda", None, (16, 1)),
        (4000, 2**12, "cuda", 64, (64, 62)),
        (5, 2**12, "cuda", 64, (5, 1)),
    ],
)
def test_plan(length: int, lanes: int, device: str, chunk: int | None, wanted: tuple[int, int]) -> None:
    blocks = TimeBlocks.plan(length, lanes, 1, device, chunk=chunk)
    assert (blocks.chunk, blocks.chunks) == wanted
    limit = time_blocks._CACHED_ELEMENTS if device == "cpu" else time_blocks._LAUNCHED_ELEMENTS
    assert blocks.chunk * blocks.chunks * lanes <= max(limit, 16 * lanes)


def test_a_buffers_positions_are_views_of_its_first_chunks_cut_once() -> None:
    buffer = ChunkBuffer(torch.zeros(3, 2, 5))
    values, positions = buffer.first(2)
    assert values.shape == (2, 2, 5)
    assert [position.shape for position in positions] == [(2, 5), (2, 5)]
    positions[1].fill_(4.0)
    assert values[:, 1].unique().tolist() == [4.0]
    assert values[:, 0].unique().tolist() == [0.0]
    assert buffer.first(2)[1] is positions
    assert TimeBlocks(9, 1, 2, 3, False).buffer(torch.zeros(4, 5)).first(3)[0].shape == (3, 2, 4, 5)
