"""Checks and times every part of the suite on a GPU, in a few minutes, into one JSON and one table.

`hyperalign gpu-check --output FOLDER` runs part after part, each in a process of its own and within its own time: a
part that fails or takes too long is written down with its reason, and the next one goes on. `gpu_check.json` and
`gpu_check.md` are complete after every part. `--device cpu --quick` runs the same code on any machine.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import get_args

from experiments.commands.gpu_check.machine import machine
from experiments.commands.gpu_check.record import Record, summary
from experiments.commands.gpu_check.running import Method, import_ahead, in_a_process, prepare_environment, run_part
from experiments.commands.gpu_check.task import PARTS
from experiments.configuration.command_parser import CommandParser
from experiments.configuration.names import checked_names
from experiments.ending import last_lines
from hyperalign.errors import RunError, UsageError
from hyperalign.files import write_text

LONGEST = 570.0
"""Seconds of the whole check, whatever its parts still might take."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the check.

    Returns:
        The exit code: 0 where everything is as it must be, else 1.

    Raises:
        UsageError: where a GPU is asked for and there is none.
    """
    listed = "\n".join(f"  {name:<12} {part.purpose}" for name, part in PARTS.items())
    parser = CommandParser("gpu-check", f"{__doc__}\nparts:\n{listed}\n")
    parser.add_argument("--output", type=Path, default=Path("results") / "gpu_check", help="folder of what is found")
    parser.add_argument("--quick", action="store_true", help="sizes as small as a test needs")
    parser.add_argument("--only", nargs="*", default=list(PARTS), metavar="PART", help="some of the parts below")
    added = "gpu_check.json of earlier checks on the same card, whose parts are kept where they are not run"
    parser.add_argument("--add", type=Path, nargs="+", default=[], metavar="FILE", help=added)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="where everything is computed")
    given = parser.parse_args(arguments)
    checked_names("part", given.only, list(PARTS))
    prepare_environment()
    import_ahead()
    begin = time.perf_counter()
    told, method = _machine(given.device, given.output)
    found = {record.part: record for path in given.add for record in read(path, told)}
    for part in [name for name in PARTS if name in given.only]:
        left = LONGEST - (time.perf_counter() - begin)
        budget = max(5.0, min(left, PARTS[part].budget))
        record = run_part(part, given.device, given.quick, given.output, budget, method)
        found[part] = record
        _write(given.output, told, found, time.perf_counter() - begin)
        sys.stdout.write(f"{part:<12} {record.state:<9} {record.seconds:6.1f} s  {record.error}\n")
        sys.stdout.flush()
    failed = [part for part in given.only if not found[part].holds]
    following = ["benchmark", "--device", given.device]
    if failed:
        following = ["gpu-check", "--device", given.device, *(["--quick"] if given.quick else [])]
        following += ["--output", str(given.output), "--add", str(given.output / "gpu_check.json"), "--only", *failed]
    sys.stdout.write(last_lines({"table": given.output / "gpu_check.md"}, following))
    return int(bool(failed))


def read(path: Path, told: dict[str, str] | None = None) -> list[Record]:
    """Return the parts of an earlier check.

    Args:
        path: its `gpu_check.json`.
        told: the machine it must have run on; None: any.

    Raises:
        UsageError: where it ran on another one.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    if told is not None and content["machine"]["device"] != told["device"]:
        raise UsageError(
            f"The check in {path} ran on {content['machine']['device']} and this one runs on {told['device']}: "
            "leave it out of --add."
        )
    return [Record.of(one) for one in content["parts"]]


def _machine(device: str, folder: Path) -> tuple[dict[str, str], Method]:
    """What the machine is, found in a process of its own, since asking the card starts CUDA; and how one starts."""
    path = folder / "parts" / "machine.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    ended = ""
    for method in get_args(Method):
        ended = in_a_process(_write_machine, device, path, budget=60.0, method=method)
        if not path.is_file():
            continue
        told: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        if "refused" in told:
            raise UsageError(told["refused"])
        return told, method
    raise RunError(f"The machine could not be asked what it is: the process {ended}.")


def _write_machine(device: str, path: Path) -> None:
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        told = {"refused": "There is no GPU that torch can use: give --device cpu to run the same check on a CPU."}
    else:
        told = machine(device)
    write_text(path, json.dumps(told) + "\n")


def _write(folder: Path, told: dict[str, str], found: dict[str, Record], spent: float) -> None:
    """Write what was found so far, in the order of the parts."""
    records = [found[part] for part in PARTS if part in found]
    content = {"machine": told, "seconds": spent, "parts": [asdict(record) for record in records]}
    write_text(folder / "gpu_check.json", json.dumps(content, indent=1) + "\n")
    write_text(folder / "gpu_check.md", summary(told, records))
