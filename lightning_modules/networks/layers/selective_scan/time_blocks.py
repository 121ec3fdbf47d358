"""Long sequences cut into blocks of time that fit the cache, each a batch of short chunks, time leading."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["ChunkBuffer", "Span", "TimeBlocks"]

_CACHED_ELEMENTS = 2**19
"""Values of one block on a CPU: four such buffers of float32 (8 MiB) stay in a last-level cache."""

_LAUNCHED_ELEMENTS = 2**24
"""Values of one block elsewhere: enough that starting an operation costs less than doing it."""

_WIDE = 2**15
"""Lanes that keep an operation busy on their own: then one chunk at a time is best, chunks need no joining."""


@dataclass(frozen=True)
class Span:
    """Positions `start` to `stop` of a sequence (in memory) and the chunks that they fill in the order of the scan."""

    start: int
    stop: int
    first_chunk: int
    chunks: int


@dataclass(frozen=True)
class TimeBlocks:
    """How a scan over `length` positions is cut.

    Attributes:
        length: positions of the sequence.
        groups: groups of channels that share input and output matrix.
        chunk: positions one after the other within a chunk.
        chunks: chunks of a full block, which are worked on side by side.
        reverse: whether time runs from the last position to the first.
    """

    length: int
    groups: int
    chunk: int
    chunks: int
    reverse: bool

    @classmethod
    def plan(
        cls, length: int, lanes: int, groups: int, device: str, *, chunk: int | None = None, reverse: bool = False
    ) -> TimeBlocks:
        """Cut for `lanes` (batch x channels x states) values a position.

        A chunk has at least 16 positions, so that the states kept for the backward pass, one a chunk, take no more
        memory than the sequence itself for 16 states.

        Args:
            length: positions of the sequence.
            lanes: values a position, which run independently.
            groups: groups of channels.
            device: "cpu", "cuda", ...
            chunk: positions of a chunk; chosen if None.
            reverse: whether time runs from the last position to the first.
        """
        wanted = _CACHED_ELEMENTS if device == "cpu" else _LAUNCHED_ELEMENTS
        block = min(max(wanted // lanes, 16), length)
        if chunk is None and device == "cpu" and lanes >= _WIDE:
            return cls(length, groups, block, 1, reverse)
        if chunk is None:
            chunk = 16
            while 2 * chunk * chunk <= block:
                chunk *= 2
        chunk = min(chunk, block)
        return cls(length, groups, chunk, block // chunk, reverse)

    @property
    def count(self) -> int:
        """Chunks of the whole sequence."""
        return -(-self.length // self.chunk)

    def spans(self) -> Iterator[Span]:
        """Return the blocks in the order of the scan."""
        block = self.chunk * self.chunks
        for begin in range(0, self.length, block):
            end = min(begin + block, self.length)
            start, stop = (self.length - end, self.length - begin) if self.reverse else (begin, end)
            yield Span(start, stop, begin // self.chunk, -(-(end - begin) // self.chunk))

    def read(self, tensor: Tensor, span: Span) -> Tensor:
        """Return a block of `B x D x L` or `B x G x X x L` in scan order: `time x B*G x D/G` (or `X`).

        The last chunk is filled up with zeros: a step of size zero neither changes nor drives the state.
        """
        piece = tensor[..., span.start : span.stop]
        # contiguous before the transposition: reading across rows of the whole sequence is four times slower
        rows = (piece.flip(-1) if self.reverse else piece.contiguous()).reshape(-1, piece.shape[-1])
        time, filled = rows.shape[1], span.chunks * self.chunk
        block = tensor.new_empty(filled, len(rows))
        block[:time] = rows.t()
        if time < filled:
            block[time:] = 0
        return block.view(filled, tensor.shape[0] * self.groups, -1)

    def write(self, target: Tensor, span: Span, block: Tensor) -> None:
        """Put a block into `B x D x L` or `B x G x X x L`; undoes `read`."""
        piece = target[..., span.start : span.stop]
        rows = block[: span.stop - span.start].flatten(1)
        piece.copy_((rows.flip(0) if self.reverse else rows).t().view(piece.shape))

    def buffer(self, lanes: Tensor) -> ChunkBuffer:
        """Return room for a block of tensors like `lanes`."""
        return ChunkBuffer(lanes.new_empty(self.chunks, self.chunk, *lanes.shape))


class ChunkBuffer:
    """Memory `chunks x chunk x lanes` that all blocks use in turn, and its positions, cut once and not for every block.

    Fresh memory for each block would cost more than the arithmetic in it.
    """

    def __init__(self, values: Tensor) -> None:
        self._values = values
        self._positions: dict[int, tuple[Tensor, ...]] = {}

    def first(self, chunks: int) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the first `chunks` chunks, and the same as one tensor `chunks x lanes` for each position."""
        values = self._values[:chunks]
        if chunks not in self._positions:
            self._positions[chunks] = torch.unbind(values, 1)
        return values, self._positions[chunks]
