"""What a blockwise selective scan asks of the code that works on one block of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from torch import Tensor

from lightning_modules.networks.layers.selective_scan.time_blocks import Span, TimeBlocks

__all__ = ["BlockArguments", "BlockScan"]


@dataclass(frozen=True)
class BlockArguments:
    """The arguments of the scan within a block, time leading.

    Attributes:
        readout: C, `time x B*G x N`.
        inputs: u, `time x B*G x D/G`.
        terms: step sizes `time x B*G x D/G` and input matrices `time x B*G x N`: one pair, or two; the first step
            sizes also make the decay.
    """

    readout: Tensor
    inputs: Tensor
    terms: list[tuple[Tensor, Tensor]]

    @classmethod
    def read(cls, blocks: TimeBlocks, span: Span, readout: Tensor, tensors: Sequence[Tensor]) -> BlockArguments:
        """Cut a block out of C and of u, delta, B and, where there is a second term, delta2 and B2."""
        inputs, *pieces = [blocks.read(tensor, span) for tensor in tensors]
        return cls(blocks.read(readout, span), inputs, list(zip(pieces[::2], pieces[1::2], strict=True)))


class BlockScan(Protocol):
    """One way of working on blocks; made anew for every pass over a sequence, so it may keep working memory.

    Attributes:
        chunk: positions of a chunk, or None for what suits plain operations.
    """

    chunk: ClassVar[int | None]

    def __init__(self, blocks: TimeBlocks, rates: Tensor) -> None:
        """Take the cut of the sequence and A as `B*G x N x D/G`."""

    def forward(self, arguments: BlockArguments, state: Tensor, entering: Tensor) -> Tensor:
        """Return the outputs of a block.

        Args:
            arguments: of the block.
            state: state before the block, `B*G x N x D/G`; overwritten by the state behind it.
            entering: filled with the state before each chunk, `chunks x B*G x N x D/G`.

        Returns:
            `time x B*G x D/G`.
        """
        ...

    def backward(
        self, arguments: BlockArguments, sent: Tensor, entering: Tensor, carry: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the gradients of a block, by the adjoint recurrence `g_t = C_t dy_t + exp(delta_{t+1} A) g_{t+1}`.

        Args:
            arguments: of the block.
            sent: gradient of the outputs, `time x B*G x D/G`.
            entering: state before each chunk, as `forward` left it.
            carry: what the blocks behind send to the last state; overwritten by what this one sends on.

        Returns:
            The gradient of A, `B*G x N x D/G`, and those of C, u, delta, B and, with a second term, delta2 and B2,
            laid out as in `arguments`.
        """
        ...
