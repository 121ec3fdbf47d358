"""One block of a selective scan by Triton kernels: on a GPU, or on a CPU in Triton's interpreter."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from lightning_modules.networks.layers.selective_scan.block_scan import BlockArguments
from lightning_modules.networks.layers.selective_scan.chunked import scan_in_blocks
from lightning_modules.networks.layers.selective_scan.problem import ScanProblem
from lightning_modules.networks.layers.selective_scan.time_blocks import TimeBlocks

__all__ = ["TritonBlocks", "triton_scan"]

_WIDEST_TILE = 64
"""Channels of a program at most."""

_TILE_VALUES = 1024
"""States x channels of a program at most, eight a thread of four warps, so that a tile stays in registers."""

_JOINED_LANES = 128
"""Lanes of a program that joins chunks."""


def triton_scan(problem: ScanProblem) -> Tensor:
    """Scan by this package's Triton kernels, in float32; memory `O(L D)` forward and backward.

    Returns:
        `y` without skip connection and gate, `B x D x L`.
    """
    # kernels start on the current device, which need not be that of the tensors
    with torch.cuda.device_of(problem.inputs):
        return scan_in_blocks(problem, TritonBlocks)


def _power_of_two(size: int) -> int:
    """The power of two from `size` on, as the sizes of Triton's tiles must be."""
    return 1 << (size - 1).bit_length()


class TritonBlocks:
    """See `BlockScan`."""

    chunk: ClassVar[int | None] = 64

    def __init__(self, blocks: TimeBlocks, rates: Tensor) -> None:
        from lightning_modules.networks.layers.selective_scan import triton_kernels

        self._kernels = triton_kernels
        self._chunk = blocks.chunk
        self._rates = rates * math.log2(math.e)
        members, states, width = rates.shape
        self._sizes = (members, states, width, blocks.chunk)
        padded = _power_of_two(states)
        tile = min(_power_of_two(width), _WIDEST_TILE, max(_TILE_VALUES // padded, 1))
        self._tiles = {"padded": padded, "tile": tile}
        self._parts = -(-width // tile)

    def _grid(self, chunks: int) -> tuple[int, int, int]:
        return chunks, self._sizes[0], self._parts

    def _join(self, ends: Tensor, products: Tensor, carry: Tensor, entering: Tensor, *, backwards: bool) -> None:
        """Fill `entering` and turn `carry` into what leaves the block."""
        lanes = carry.numel()
        self._kernels.join[(-(-lanes // _JOINED_LANES),)](
            ends, products, carry, entering, lanes, len(ends), backwards=backwards, tile=_JOINED_LANES
        )

    @staticmethod
    def _driving(arguments: BlockArguments) -> tuple[list[Tensor], bool]:
        """u, delta, B, delta2, B2 (the first term's once more where there is no second) and whether there is one."""
        second = len(arguments.terms) > 1
        return [arguments.inputs, *arguments.terms[0], *arguments.terms[-1]], second

    def forward(self, arguments: BlockArguments, state: Tensor, entering: Tensor) -> Tensor:
        """See `BlockScan.forward`."""
        driving, second = self._driving(arguments)
        grid = self._grid(len(entering))
        ends, products = entering.new_empty(2, *entering.shape)
        self._kernels.state_ends[grid](
            *driving, self._rates, ends, products, *self._sizes, second=second, **self._tiles
        )
        self._join(ends, products, state, entering, backwards=False)
        result = torch.empty_like(arguments.inputs)
        self._kernels.outputs[grid](
            *(*driving, arguments.readout, self._rates, entering, result, result, *self._sizes),
            second=second,
            keep=False,
            **self._tiles,
        )
        return result

    def backward(
        self, arguments: BlockArguments, sent: Tensor, entering: Tensor, carry: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        """See `BlockScan.backward`."""
        driving, second = self._driving(arguments)
        readout, chunks = arguments.readout, len(entering)
        grid = self._grid(chunks)
        history = entering.new_empty(chunks, self._chunk + 1, *entering.shape[1:])
        self._kernels.outputs[grid](
            *(*driving, readout, self._rates, entering, history, history, *self._sizes),
            second=second,
            keep=True,
            **self._tiles,
        )
        ends, products, behind, of_rates = entering.new_empty(4, *entering.shape)
        self._kernels.adjoint_ends[grid](
            sent, driving[1], readout, self._rates, ends, products, *self._sizes, **self._tiles
        )
        self._join(ends, products, carry, behind, backwards=True)
        of_rows = [torch.empty_like(arguments.inputs) for _ in range(len(arguments.terms) + 1)]
        of_columns = [readout.new_empty(self._parts, *readout.shape) for _ in range(len(arguments.terms) + 1)]
        places = readout.shape[0] * readout.shape[1]
        self._kernels.gradients[grid](
            *(*driving, readout, self._rates, history, sent, behind),
            *(of_rows[0], of_rows[1], of_columns[1], of_rows[-1], of_columns[-1], of_columns[0], of_rates),
            *(*self._sizes, places),
            second=second,
            **self._tiles,
        )
        of_readout, *of_entries = [parts.sum(0) for parts in of_columns]
        of_terms = [gradient for pair in zip(of_rows[1:], of_entries, strict=True) for gradient in pair]
        return of_rates.sum(0), [of_readout, of_rows[0], *of_terms]
