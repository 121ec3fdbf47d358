"""Selective scan block of time by block of time, with a backward pass that recomputes instead of keeping the states.

The forward pass keeps one state a chunk (16 positions or more); the backward pass makes the others again, block by
block from the end. So memory grows as length x channels, and what is as large as length x channels x states only ever
exists for one block. Sums run in a fixed order: the same call gives the same bits. What is done within a block is the
business of a `BlockScan`, in plain torch operations or in Triton kernels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lightning_modules.networks.layers.selective_scan.block_scan import BlockArguments, BlockScan
from lightning_modules.networks.layers.selective_scan.problem import ScanProblem
from lightning_modules.networks.layers.selective_scan.time_blocks import TimeBlocks
from lightning_modules.networks.layers.selective_scan.torch_blocks import TorchBlocks

__all__ = ["chunked_scan", "scan_in_blocks"]


def chunked_scan(problem: ScanProblem) -> Tensor:
    """Scan in plain torch operations on any device; memory `O(L D)` forward and backward, any length.

    Returns:
        `y` without skip connection and gate, `B x D x L`.
    """
    return scan_in_blocks(problem, TorchBlocks)


def scan_in_blocks(problem: ScanProblem, engine: type[BlockScan]) -> Tensor:
    """Scan with the given way of working on a block.

    Returns:
        `y` without skip connection and gate, `B x D x L`.
    """
    y: Tensor = _BlockwiseScan.apply(  # type: ignore[no-untyped-call]
        engine,
        problem.reverse,
        problem.readout,
        problem.decay,
        problem.inputs,
        problem.steps,
        problem.entry,
        problem.second_steps,
        problem.second_entry,
    )
    return y


def _by_lanes(decay: Tensor, batch: int, groups: int) -> Tensor:
    """A, `D x N`, repeated for every batch member: `B*G x N x D/G`."""
    channels, states = decay.shape
    return decay.view(groups, channels // groups, states).transpose(1, 2).repeat(batch, 1, 1)


class _BlockwiseScan(torch.autograd.Function):
    """`y` of `ScanProblem`, and the gradients of all its tensors."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - autograd's context
        engine: type[BlockScan],
        reverse: bool,
        readout: Tensor,
        decay: Tensor,
        inputs: Tensor,
        *others: Tensor | None,
    ) -> Tensor:
        batch, groups, _, length = readout.shape
        rates = _by_lanes(decay, batch, groups)
        chunk = engine.chunk
        blocks = TimeBlocks.plan(length, rates.numel(), groups, inputs.device.type, chunk=chunk, reverse=reverse)
        scan = engine(blocks, rates)
        tensors = [inputs, *(tensor for tensor in others if tensor is not None)]
        starts = rates.new_empty(blocks.count, *rates.shape)
        state = torch.zeros_like(rates)
        y = torch.empty(inputs.shape, dtype=inputs.dtype, device=inputs.device)
        for span in blocks.spans():
            entering = starts[span.first_chunk : span.first_chunk + span.chunks]
            arguments = BlockArguments.read(blocks, span, readout, tensors)
            blocks.write(y, span, scan.forward(arguments, state, entering))
        ctx.save_for_backward(starts, readout, decay, *tensors)
        ctx.blocks, ctx.engine = blocks, engine
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 - autograd's context
        with torch.autocast(device_type=gradient.device.type, enabled=False):
            starts, readout, decay, *tensors = ctx.saved_tensors
            scan = ctx.engine(ctx.blocks, _by_lanes(decay, *readout.shape[:2]))
            grads = _gradients(scan, ctx.blocks, starts, readout, tensors, gradient)
        missing = [None] * (5 - len(tensors))
        return (None, None, *grads, *missing)


def _gradients(
    scan: BlockScan,
    blocks: TimeBlocks,
    starts: Tensor,
    readout: Tensor,
    tensors: Sequence[Tensor],
    gradient: Tensor,
) -> list[Tensor]:
    """Gradients of C, of A, and of u, delta, B and, where there is a second term, delta2 and B2."""
    carry, grad_rates = torch.zeros_like(starts[0]), torch.zeros_like(starts[0])
    targets = [torch.empty(t.shape, dtype=t.dtype, device=t.device) for t in (readout, *tensors)]
    for span in reversed(list(blocks.spans())):
        entering = starts[span.first_chunk : span.first_chunk + span.chunks]
        arguments = BlockArguments.read(blocks, span, readout, tensors)
        of_rates, found = scan.backward(arguments, blocks.read(gradient, span), entering, carry)
        grad_rates += of_rates
        for target, values in zip(targets, found, strict=True):
            blocks.write(target, span, values)
    grad_decay = grad_rates.unflatten(0, readout.shape[:2]).sum(0).transpose(1, 2).flatten(0, 1)
    return [targets[0], grad_decay, *targets[1:]]
