"""How many floating-point operations a network takes: matrix products counted, selective scans by formula."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from lightning_modules.networks.fusion.co2if.ss2d import SS2D
from lightning_modules.networks.fusion.fusionmamba.scan import DirectedScan
from lightning_modules.networks.layers.cross_scan import DIRECTIONS
from lightning_modules.networks.layers.gated_scan import GatedScan2d
from lightning_modules.networks.layers.mamba import ScanDirection

__all__ = ["Flops", "count_flops", "scan_flops"]

COUNTED_IN_SCAN = 2
"""Operations of a state that torch's counter sees by itself: the product with C, a matrix product on a CPU."""


class Flops(NamedTuple):
    """Operations of one call, a multiplication and an addition being two.

    Attributes:
        products: of matrices and convolutions, as torch's counter sees them.
        scans: of selective scans beyond what is in `products`.
    """

    products: int
    scans: int

    @property
    def total(self) -> int:
        """All operations."""
        return self.products + self.scans


def scan_flops(channels: int, states: int, length: int, second: bool = False) -> int:
    """Return the operations of a selective scan: 9 for every state of every channel at every position, VMamba's figure.

    Args:
        channels: channels that are scanned, those of all directions together.
        states: states of each.
        length: positions.
        second: whether the scan has CO2IF's second input term, which adds a multiplication and an addition.
    """
    return (9 + 2 * second) * channels * states * length


@torch.no_grad()
def count_flops(network: nn.Module, *inputs: Tensor | None) -> Flops:
    """Count the operations of `network(*inputs)`; network and inputs on a CPU.

    Operations without a matrix product (norms, activations, adaptive solvers' elementwise parts) are left out, as is
    the custom of such counts.

    Args:
        network: any network; its scans are found in `SS2D`, `GatedScan2d` and the directions of `Mamba`.
        inputs: its arguments.
    """
    found = [0]

    def of_image(module: nn.Module, arguments: tuple[Tensor, object]) -> None:
        if isinstance(module, SS2D):
            image = arguments[0]
            lanes = (DIRECTIONS * image.shape[1], module.A_log.shape[1], math.prod(image.shape[2:]))
            flops = scan_flops(*lanes, second=module.parameters_of_guide is not None)
            found[0] += image.shape[0] * (flops - COUNTED_IN_SCAN * math.prod(lanes))

    def of_sequence(module: nn.Module, arguments: tuple[Tensor]) -> None:
        if isinstance(module, ScanDirection):
            sequence = arguments[0]
            lanes = (sequence.shape[1], module.A_log.shape[1], sequence.shape[2])
            found[0] += sequence.shape[0] * (scan_flops(*lanes) - COUNTED_IN_SCAN * math.prod(lanes))

    def of_pixels(module: nn.Module, arguments: tuple[Tensor]) -> None:
        if isinstance(module, GatedScan2d):
            batch, height, width, _ = arguments[0].shape
            lanes = (*module.A_log.shape, height * width)
            found[0] += batch * (scan_flops(*lanes) - COUNTED_IN_SCAN * math.prod(lanes))

    def of_directions(module: nn.Module, arguments: tuple[Tensor, object]) -> None:
        if isinstance(module, DirectedScan):
            image, states = arguments[0], module.sizes[1]
            lanes = (module.ways * image.shape[1], states, math.prod(image.shape[2:]))
            found[0] += image.shape[0] * (scan_flops(*lanes) - COUNTED_IN_SCAN * math.prod(lanes))

    kinds = ((SS2D, of_image), (GatedScan2d, of_pixels), (DirectedScan, of_directions), (ScanDirection, of_sequence))
    hooks = [
        one.register_forward_pre_hook(hook)
        for one in network.modules()
        for kind, hook in kinds
        if isinstance(one, kind)
    ]
    try:
        with FlopCounterMode(display=False) as counter:
            network(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return Flops(counter.get_total_flops(), found[0])
