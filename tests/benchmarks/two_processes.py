"""What a second process gives the stages of adaptation: `python -m tests.benchmarks.two_processes [--scenes 8]`.

Seconds on the clock of proxies (SERT compact) and of synthesis (photometric guides, spectral transfer) in one process
and in two over gloo, one thread each, and the share of the ideal, which is half the seconds of one. The two share
scenes and guides as the ranks of `hyperalign adapt` and `reproduce` do. Rounds take turns, the best of each counts;
what both make is compared. Needs two cores that nobody else uses.
"""

from __future__ import annotations

import hyperalign  # noqa: F401  first: torchvision is repaired before anything imports it

# isort: split
import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist

from callbacks import PhotometricGuides, SpectralTransfer
from callbacks.adaptation.proxies import make_proxies
from callbacks.adaptation.synthesised_scenes import synthesise
from datamodules import Observation
from experiments.commands.gpu_check.checks.specimens import BANDS, built, smooth
from tests.two_ranks import exit_codes

STAGES = ("proxies", "synthesis")
WAVELENGTHS = tuple(float(value) for value in range(400, 701, 10))
LONGEST = 3600.0


@dataclass(frozen=True)
class Stages:
    """The work of both stages.

    Attributes:
        scenes: observed.
        side: of a scene in pixels.
        steps: of a transfer.
        ratio: guides of a proxy.
    """

    scenes: int
    side: int
    steps: int
    ratio: int

    def __call__(self, folder: Path) -> str:
        """Do this process's share; return the seconds of each stage, and the files that all made, as JSON."""
        cubes = smooth(self.scenes, BANDS, self.side)
        observed = [Observation(f"scene{number}", cube, WAVELENGTHS) for number, cube in enumerate(cubes)]
        network = built("sert", compact=True)
        _together()
        begin = time.perf_counter()
        proxies = make_proxies(network, observed, folder / "store", degradation={})
        _together()
        between = time.perf_counter()
        transfer = SpectralTransfer(steps=self.steps)
        made = synthesise(PhotometricGuides(), transfer, proxies, folder / "store", ratio=self.ratio)
        _together()
        seconds = [between - begin, time.perf_counter() - between]
        return json.dumps({"seconds": seconds, "files": [str(one.scene.path) for one in made]})


def _together() -> None:
    """Wait for the other process, where there is one."""
    if dist.is_initialized():
        dist.barrier()


def _alone(_: int, folder: Path, work: Callable[[Path], str]) -> None:
    torch.set_num_threads(1)
    (folder / "answer0").write_text(work(folder))


def measured(work: Stages, folder: Path, processes: int) -> tuple[list[float], list[str]]:
    """Seconds of the stages in one or two new processes, and the cubes that they made."""
    folder.mkdir(parents=True)
    if processes == 1:
        process = multiprocessing.get_context("fork").Process(target=_alone, args=(0, folder, work))
        process.start()
        process.join()
        codes = [process.exitcode]
    else:
        codes = exit_codes(folder, work, seconds=LONGEST)
    if codes != [0] * processes:
        raise SystemExit(f"{processes} processes ended with {codes}; their errors stand above.")
    answers = [json.loads((folder / f"answer{rank}").read_text()) for rank in range(processes)]
    return [max(column) for column in zip(*(one["seconds"] for one in answers), strict=True)], answers[0]["files"]


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=8)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--ratio", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    work = Stages(given.scenes, given.side, given.steps, given.ratio)
    found: dict[int, list[list[float]]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as root:
        for number in range(given.rounds):
            files: dict[int, list[str]] = {}
            for processes, seconds in found.items():
                taken, files[processes] = measured(work, Path(root, f"{number}-{processes}"), processes)
                seconds.append(taken)
            pairs = zip(files[1], files[2], strict=True)
            apart = max(float(np.abs(np.load(one) - np.load(other)).max()) for one, other in pairs)
    best = {processes: [min(column) for column in zip(*rounds, strict=True)] for processes, rounds in found.items()}
    sys.stdout.write("| stage | one process | two | share of ideal |\n| --- | ---: | ---: | ---: |\n")
    for stage, one, two in zip(STAGES, best[1], best[2], strict=True):
        sys.stdout.write(f"| {stage} | {one:.2f} s | {two:.2f} s | {one / two / 2:.0%} |\n")
    one, two = sum(best[1]), sum(best[2])
    sys.stdout.write(f"| both | {one:.2f} s | {two:.2f} s | {one / two / 2:.0%} |\n")
    sys.stdout.write(f"Largest difference of a cube: {apart:g}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
