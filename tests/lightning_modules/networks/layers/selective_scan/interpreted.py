"""Run as a program with TRITON_INTERPRET=1: the Triton kernels on the CPU, their largest errors as JSON."""

from __future__ import annotations

import json
import sys

from lightning_modules.networks.layers.selective_scan import time_blocks
from lightning_modules.networks.layers.selective_scan.triton_blocks import TritonBlocks
from tests.lightning_modules.networks.layers.selective_scan.samples import (
    largest_error,
    outputs_and_gradients,
    scan_arguments,
    second_input,
)

CASES = {
    "several blocks": (1, 2, 3, 18, 0, False, False),
    "groups, batch, second input, reverse": (2, 4, 2, 5, 2, True, True),
    "several tiles of channels": (1, 66, 1, 3, 0, False, False),
}
"""batch, channels, states, length, groups, second input, reverse."""


def main() -> None:
    """Chunks of 4 positions, two a block: what long sequences do, at sizes that an interpreter can do."""
    errors = {}
    for name, (batch, channels, states, length, groups, second, reverse) in CASES.items():
        TritonBlocks.chunk = 4
        time_blocks._CACHED_ELEMENTS = 16
        arguments = scan_arguments(batch, channels, states, length, groups)
        other = second_input(arguments) if second else None
        expected = outputs_and_gradients("reference", arguments, other, reverse=reverse)
        errors[name] = largest_error(outputs_and_gradients("triton", arguments, other, reverse=reverse), expected)
    json.dump(errors, sys.stdout)


if __name__ == "__main__":
    main()
