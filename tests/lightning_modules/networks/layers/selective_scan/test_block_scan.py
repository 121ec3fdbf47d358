"""What is cut out for a block, and that both ways of working on one fulfil the protocol."""

from __future__ import annotations

import inspect

import pytest
import torch

from lightning_modules.networks.layers.selective_scan.block_scan import BlockArguments, BlockScan
from lightning_modules.networks.layers.selective_scan.time_blocks import TimeBlocks
from lightning_modules.networks.layers.selective_scan.torch_blocks import TorchBlocks
from lightning_modules.networks.layers.selective_scan.triton_blocks import TritonBlocks


@pytest.mark.parametrize("terms", [1, 2])
def test_a_block_is_cut_out_of_every_tensor_of_every_term(terms: int) -> None:
    generator = torch.Generator().manual_seed(0)
    rows = [torch.rand(2, 6, 9, generator=generator) for _ in range(1 + terms)]
    columns = [torch.rand(2, 3, 4, 9, generator=generator) for _ in range(1 + terms)]
    blocks = TimeBlocks(9, 3, 2, 2, False)
    _, span, _ = blocks.spans()
    pairs = [one for pair in zip(rows[1:], columns[1:], strict=True) for one in pair]
    arguments = BlockArguments.read(blocks, span, columns[0], [rows[0], *pairs])
    assert (span.start, span.stop) == (4, 8)
    assert torch.equal(arguments.readout, columns[0][..., 4:8].flatten(0, 1).permute(2, 0, 1))
    assert torch.equal(arguments.inputs, rows[0][..., 4:8].reshape(6, 2, 4).permute(2, 0, 1))
    assert len(arguments.terms) == terms
    for (steps, entry), row, column in zip(arguments.terms, rows[1:], columns[1:], strict=True):
        assert torch.equal(steps, row[..., 4:8].reshape(6, 2, 4).permute(2, 0, 1))
        assert torch.equal(entry, column[..., 4:8].flatten(0, 1).permute(2, 0, 1))


@pytest.mark.parametrize("engine", [TorchBlocks, TritonBlocks])
def test_both_engines_take_what_the_protocol_gives(engine: type[BlockScan]) -> None:
    for name in ("__init__", "forward", "backward"):
        wanted = list(inspect.signature(getattr(BlockScan, name)).parameters)
        assert list(inspect.signature(getattr(engine, name)).parameters) == wanted, name
    assert engine.chunk is None or engine.chunk >= 16
