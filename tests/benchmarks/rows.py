"""Tables whose rows are measured one by one, each in a process of its own."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence

import torch

__all__ = ["arguments_of", "print_rows"]


def arguments_of(text: str | None, stems: Sequence[str], side: int, **more: str) -> argparse.Namespace:
    """Read the command line of such a table: which networks, at what size, and text options with their defaults."""
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("stems", nargs="*", default=stems)
    parser.add_argument("--side", type=int, default=side)
    for name, default in more.items():
        parser.add_argument(f"--{name}", default=default)
    parser.add_argument("--row", action="store_true", help="print the bare rows, in this process")
    return parser.parse_args()


def print_rows(module: str, header: str, arguments: argparse.Namespace, row: Callable[[str], str]) -> int:
    """Print the table row by row, or bare rows where this is the process of one; returns the exit status.

    Args:
        module: the table's own, which is run for each row.
        header: lines above the rows.
        arguments: of `arguments_of`.
        row: makes the line of a network.
    """
    torch.set_num_threads(1)
    if arguments.row:
        for stem in arguments.stems:
            sys.stdout.write(row(stem) + "\n")
        return 0
    options = [f"--{name}={value}" for name, value in vars(arguments).items() if name not in ("stems", "row")]
    sys.stdout.write(header + "\n")
    for stem in arguments.stems:
        command = [sys.executable, "-m", module, "--row", *options, stem]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        sys.stdout.write(done.stdout.splitlines()[-1] + "\n")
        sys.stdout.flush()
    return 0
