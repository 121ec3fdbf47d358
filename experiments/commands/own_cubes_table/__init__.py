"""How well own cubes are adapted to where the truth is known: noise that is measured, and gain that is estimated.

`hyperalign own-cubes-table --root CAVE` writes the middle of every CAVE scene as noisy files in four formats into a
folder, once with Gaussian and once with complex noise, and treats it as anybody's cubes: it measures the noise, adapts
the packaged source with a quarter of the cubes held back, and estimates the gain. Then it looks at the clean cubes.
With `--wavelengths 430:860:102` the root is any file or folder of clean cubes of those bands, each cut into squares.
Further words go to `adapt`, such as `--trainer.max_steps 64` or `--config hir_align/proxy_only`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.commands.own_cubes_table.accuracy import Accuracy, accuracy, as_markdown
from experiments.commands.own_cubes_table.folders import crops_of, squares_of, write_folder
from experiments.commands.tables import arguments_of
from experiments.configuration.command_parser import CommandParser
from experiments.ending import last_lines
from hyperalign.errors import UsageError
from hyperalign.files import write_text

if TYPE_CHECKING:
    from torch import Tensor

    from callbacks.reporting.without_truth.gain_rows import GainRow
    from datamodules.degradations import Degradation

TASKS = ("gaussian", "complex", "independent_thirds", "random_structured")
"""Kinds of noise, which can be adapted to."""

OPERATORS = ("band_missing", "inpainting", "deblurring", "super_resolution")
"""Tasks that are recognised alone."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the tables and write `noise.md` and `gain.md` in the output folder."""
    parser = CommandParser("own-cubes-table", __doc__)
    parser.add_argument("--root", type=Path, required=True, help="CAVE's complete_ms_data, or some of its scenes")
    parser.add_argument("--output", type=Path, default=Path("results/own_cubes"), help="folder for cubes and tables")
    parser.add_argument("--side", type=int, default=128, help="rows and columns of the cubes")
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise and of the adaptation")
    tasks = (*TASKS, *OPERATORS)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS[:2]), choices=tasks, help="kinds of noise")
    parser.add_argument("--wavelengths", help="band centres of other cubes than CAVE's in nm, FIRST:LAST:COUNT")
    parser.add_argument("--key", help="variable that holds them, in formats with several")
    parser.add_argument("--noise_only", action="store_true", help="measure the noise and adapt to nothing")
    given, extra = arguments_of(parser, arguments)
    if alone := sorted(set(given.tasks) & set(OPERATORS)) if not given.noise_only else []:
        raise UsageError(f"The task {alone[0]} is no noise, and its gain is not estimated: add --noise_only.")
    if given.wavelengths is None:
        cubes, wavelengths = crops_of(given.root, given.side)
    else:
        cubes, wavelengths = squares_of(given.root, given.side, given.wavelengths, given.key)
    measured: list[Accuracy] = []
    gained: dict[str, list[GainRow]] = {}
    for name in given.tasks:
        measured += accuracy(cubes, task_of(name), name, given.seed)
        write_text(given.output / "noise.md", as_markdown(measured))
        if not given.noise_only:
            gained[name] = gains(cubes, wavelengths, name, given.output / name, given.seed, extra)
            write_text(given.output / "gain.md", gains_as_markdown(gained))
    written = {"noise": given.output / "noise.md"} | ({} if given.noise_only else {"gain": given.output / "gain.md"})
    sys.stdout.write(last_lines(written, ["adapt", "--data.root", "CUBES"]))
    return 0


def task_of(name: str) -> Degradation:
    """Return the packaged task of a name."""
    from datamodules import (
        BandMissing,
        BicubicDownsampling,
        ComplexMixture,
        GaussianBlurring,
        NonIIDGaussian,
        RandomMask,
    )

    plain: dict[str, Callable[[], Degradation]] = {
        "gaussian": NonIIDGaussian,
        "complex": ComplexMixture,
        "band_missing": BandMissing,
        "inpainting": RandomMask,
        "deblurring": GaussianBlurring,
    }
    if name in plain:
        return plain[name]()
    return BicubicDownsampling(4) if name == "super_resolution" else ComplexMixture(name)


def gains(
    cubes: dict[str, Tensor], wavelengths: Sequence[float], name: str, folder: Path, seed: int, extra: Sequence[str]
) -> list[GainRow]:
    """Adapt to a folder of cubes by the command, and return what was estimated beside what is true, by scene."""
    from callbacks import GainWithoutTruth
    from experiments.cli import run
    from hyperalign.trainers import callbacks_of

    noisy, clean = write_folder(cubes, wavelengths, task_of(name), folder, seed)
    words = ["adapt", "--data.root", str(noisy), "--data.clean_root", str(clean), "--data.unobserved", "0.25"]
    words += ["--data.wavelengths", f"{wavelengths[0]:g}:{wavelengths[-1]:g}:{len(wavelengths)}"]
    words += ["--trainer.default_root_dir", str(folder), "--proxy.store", str(folder / "store")]
    words += ["--seed_everything", str(seed), "--data.seed", str(seed), "--pictures", "null", *extra]
    command = run(words)
    return [row for one in callbacks_of(command.trainer) if isinstance(one, GainWithoutTruth) for row in one.rows]


def gains_as_markdown(gained: dict[str, list[GainRow]]) -> str:
    """Return the means and scenes of every task, and how often sign and interval were right."""
    from callbacks.reporting.without_truth.gain_rows import COLUMNS, cells, means

    lines = [f"| noise | {' | '.join(COLUMNS)} |", f"| --- | --- | --- |{' ---: |' * (len(COLUMNS) - 2)}"]
    for name, rows in gained.items():
        lines += [f"| {name} | {' | '.join(cells(row))} |" for row in [*means(rows), *rows]]
    known = [(row.gain, row.true) for rows in gained.values() for row in rows if row.true is not None]
    right = sum((gain.change > 0) == (true > 0) for gain, true in known)
    covered = sum(gain.low <= true <= gain.high for gain, true in known)
    lines.append(f"\nSign right in {right} of {len(known)} scenes, true change within the interval in {covered}.")
    return "\n".join(lines) + "\n"
