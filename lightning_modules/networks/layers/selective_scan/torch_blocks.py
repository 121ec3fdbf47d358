"""One block of a selective scan in plain torch operations, all its chunks side by side.

Large tensors are `chunks x chunk x B*G x states x D/G`. Channels innermost make every product with step sizes, B and C
a contiguous one, and the sum over states a batched matrix product that is as fast as reading its argument.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from lightning_modules.networks.layers.selective_scan.block_scan import BlockArguments
from lightning_modules.networks.layers.selective_scan.linear_recurrence import adjoint_, entering_states, states_
from lightning_modules.networks.layers.selective_scan.time_blocks import TimeBlocks

__all__ = ["TorchBlocks"]


class TorchBlocks:
    """See `BlockScan`."""

    chunk: ClassVar[int | None] = None

    def __init__(self, blocks: TimeBlocks, rates: Tensor) -> None:
        self._chunk = blocks.chunk
        self._rates = rates
        self._kept, self._states, self._adjoint, self._work = (blocks.buffer(rates) for _ in range(4))

    def forward(self, arguments: BlockArguments, state: Tensor, entering: Tensor) -> Tensor:
        """See `BlockScan.forward`."""
        kept, kept_at = self._kept.first(len(entering))
        states, states_at = self._states.first(len(entering))
        products = self._decays(arguments, kept)
        self._driven(arguments, states)
        entering_states(states_at, kept_at, products, state, out=entering)
        states_(states_at, kept_at, entering)
        state.copy_(states[-1, -1])
        return self._over_states(arguments.readout, states)

    def backward(
        self, arguments: BlockArguments, sent: Tensor, entering: Tensor, carry: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        """See `BlockScan.backward`."""
        kept, kept_at = self._kept.first(len(entering))
        states, states_at = self._states.first(len(entering))
        adjoint, adjoint_at = self._adjoint.first(len(entering))
        scratch, _ = self._work.first(len(entering))
        products = self._decays(arguments, kept)
        self._driven(arguments, states)
        states_(states_at, kept_at, entering)
        self._outer(arguments.readout, sent, adjoint)
        carry.copy_(adjoint_(adjoint_at, kept_at, products, carry))
        of_readout = self._over_channels(states, sent, scratch)
        met = kept.mul_(adjoint)
        met[:, 0] *= entering
        met[:, 1:] *= states[:, :-1]
        torch.mul(met, self._row(arguments.terms[0][0]), out=scratch)
        of_rates = scratch.flatten(0, 1).sum(0)
        through_decay = met.mul_(self._rates).sum(3).flatten(0, 1)
        of_inputs = torch.zeros_like(arguments.inputs)
        of_terms: list[Tensor] = []
        for number, (steps, entry) in enumerate(arguments.terms):
            of_drive = self._over_states(entry, adjoint)
            of_inputs.addcmul_(of_drive, steps)
            of_steps = of_drive.mul_(arguments.inputs)
            if number == 0:
                of_steps += through_decay
            of_terms += [of_steps, self._over_channels(adjoint, steps * arguments.inputs, scratch)]
        return of_rates, [of_readout, of_inputs, *of_terms]

    def _row(self, values: Tensor) -> Tensor:
        """`time x B*G x D/G` as a factor of a large tensor."""
        return values.view(-1, self._chunk, values.shape[1], 1, values.shape[2])

    def _column(self, matrix: Tensor) -> Tensor:
        """`time x B*G x N` as a factor of a large tensor."""
        return matrix.view(-1, self._chunk, *matrix.shape[1:], 1)

    def _decays(self, arguments: BlockArguments, out: Tensor) -> Tensor:
        """Fill `out` with `exp(delta A)` and return its product over each chunk, `chunks x B*G x N x D/G`.

        As a power of two of `delta A log2(e)`: torch's exp2 takes a third of the time of its exp. Products below 2^-100
        stay there, where they forget as well as 0 does: arithmetic with denormal numbers is five times slower.
        """
        steps, rates = self._row(arguments.terms[0][0]), self._rates * math.log2(math.e)
        torch.mul(steps, rates, out=out).exp2_()
        return (steps.sum(1) * rates).clamp_(min=-100.0).exp2_()

    def _outer(self, matrix: Tensor, values: Tensor, out: Tensor, *, add: bool = False) -> None:
        """Products of `time x B*G x N` with `time x B*G x D/G` into `out`, or added to it."""
        column, row = self._column(matrix), self._row(values)
        if add:
            out.addcmul_(column, row)
        else:
            torch.mul(column, row, out=out)

    def _driven(self, arguments: BlockArguments, out: Tensor) -> None:
        """What the inputs add to the states, `delta_t B_t u_t` and the second term, into `out`."""
        for number, (steps, entry) in enumerate(arguments.terms):
            self._outer(entry, steps * arguments.inputs, out, add=number > 0)

    def _over_states(self, matrix: Tensor, values: Tensor) -> Tensor:
        """Sum over states of `time x B*G x N` times a large tensor, `time x B*G x D/G`."""
        states, width = values.shape[-2:]
        summed = torch.bmm(matrix.view(-1, 1, states), values.view(-1, states, width))
        return summed.view(*matrix.shape[:2], width)

    def _over_channels(self, values: Tensor, row: Tensor, scratch: Tensor) -> Tensor:
        """Sum over channels of a large tensor times `time x B*G x D/G`, `time x B*G x N`."""
        states, width = values.shape[-2:]
        torch.mul(values, self._row(row), out=scratch)
        # a product with ones is several times faster than a sum over a short axis
        return torch.mv(scratch.view(-1, width), scratch.new_ones(width)).view(*row.shape[:2], states)
