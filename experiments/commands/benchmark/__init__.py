"""Measures what binds every network, the scan, the transfer and the solvers, and writes the roofline page.

`hyperalign benchmark --output FOLDER` counts the operations and the bytes of each subject, times it over four sizes of
scene and four numbers of bands, and holds it against the matrix products and the copies that this machine can do. A
subject whose figures lie in the folder is not measured again. `--device cuda` does the same on a GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.configuration.command_parser import CommandParser
from experiments.configuration.names import checked_names
from experiments.ending import last_lines
from hyperalign.errors import UsageError
from hyperalign.files import file_stem, write_text

if TYPE_CHECKING:
    from experiments.commands.benchmark.measured import Measured

SIDES = (32, 64, 96, 128)
BANDS = (8, 16, 31, 62)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the page.

    Raises:
        UsageError: for a size that is none, or a GPU where there is none.
    """
    parser = CommandParser("benchmark", __doc__)
    parser.add_argument("--output", type=Path, default=Path("results") / "benchmark", help="folder of figures and page")
    parser.add_argument("--only", nargs="+", default=None, metavar="SUBJECT", help="some of the page's lines by name")
    parser.add_argument("--sides", type=int, nargs="+", default=list(SIDES), help="of the scenes in pixels")
    parser.add_argument("--bands", type=int, nargs="+", default=list(BANDS), help="of the scenes")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where everything is computed")
    limit = "seconds of a size after which no larger one is measured"
    parser.add_argument("--longest", type=float, default=20.0, help=limit)
    given = parser.parse_args(arguments)
    if min(*given.sides, *given.bands) < 1 or any(side % 16 for side in given.sides):
        raise UsageError("Sides are multiples of 16 pixels and bands at least 1: change --sides or --bands.")
    import torch

    from experiments.commands.benchmark.limits import measured_limits
    from experiments.commands.benchmark.page import page
    from experiments.commands.benchmark.subjects import SUBJECTS
    from experiments.commands.gpu_check.machine import machine

    names = given.only or list(SUBJECTS)
    checked_names("subject", names, list(SUBJECTS))
    if given.device == "cuda" and not torch.cuda.is_available():
        raise UsageError("There is no GPU that torch can use: leave --device away to measure on the CPU.")
    if given.device == "cpu":
        torch.set_num_threads(1)
    device = torch.device(given.device)
    found = [_measured(name, given) for name in SUBJECTS if name in names]
    limits, told = measured_limits(device), machine(given.device)
    told["others at work"] = f"load {os.getloadavg()[0]:.1f}"
    content = {"machine": told, "limits": asdict(limits), "subjects": [one.content() for one in found]}
    write_text(given.output / f"roofline_{given.device}.json", json.dumps(content, indent=1) + "\n")
    text = page(told, limits, found, given.device)
    write_text(given.output / f"roofline_{given.device}.md", text)
    following = ["gpu-check", "--device", given.device, *(["--quick"] if given.device == "cpu" else [])]
    sys.stdout.write(last_lines({"page": given.output / f"roofline_{given.device}.md"}, following))
    return 0


def _measured(name: str, given: argparse.Namespace) -> Measured:
    """Measure a subject, or read what was measured of it."""
    import torch

    from experiments.commands.benchmark.measured import Measured, measured

    folder, device = given.output, given.device
    path = folder / "subjects" / f"{file_stem(f'{device} {name}')}.json"
    if path.is_file():
        return Measured.read(json.loads(path.read_text(encoding="utf-8")))
    found = measured(name, given.sides, given.bands, torch.device(given.device), given.longest)
    write_text(path, json.dumps(found.content(), indent=1) + "\n")
    seconds = f"{found.reference.seconds:.3g} s" if found.reference else "; ".join(found.refused.values())
    sys.stdout.write(f"{name:<32} {seconds}\n")
    sys.stdout.flush()
    return found
