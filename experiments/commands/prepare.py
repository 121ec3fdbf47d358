"""`hyperalign prepare`: checks a download and converts it once into the cache that training reads from."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from tqdm import tqdm  # type: ignore[import-untyped]

from datamodules import Folder, SceneDataModule
from datamodules.preparation import Preparation, prepare
from datamodules.scenes.normalisation import measured
from experiments.commands.tables import without
from experiments.configuration.sections import built, data_parser
from experiments.ending import last_lines
from experiments.ending import without as without_options
from hyperalign.errors import HyperalignError

_BANDS = 31
"""Of the compact networks."""

_DESCRIPTION = """\
Checks a download and converts every scene once into the memory-mapped cache: `hyperalign prepare --config data/cave
--data.root FOLDER`. It says which scenes are missing or damaged and where to get them; the others are prepared. An
interrupted command goes on where it stopped, and a second one finds everything done. Whole scenes are prepared unless
the configs name a crop or a super-resolution task; crops are cut from prepared whole scenes later without decoding.
The exit code is 1 if a scene is damaged, or one that the configs train or test on is missing.

Of your own cubes, `hyperalign prepare --data Folder --data.root FOLDER`, nothing is converted, as they are read where
they are: every cube is read through once; a table says what is in it, what is missing, and which cannot be used."""


def main(arguments: Sequence[str]) -> int:
    """Run `hyperalign prepare`.

    Args:
        arguments: what stands after `prepare` on the command line.

    Returns:
        0 if all scenes of the config can be used, 1 if not.

    Raises:
        ConfigNotFoundError: a `--config` names no file.
        ConfigError: a key, a class or a value is wrong.
        FileNotFoundError: the data set is not there.
        CacheWriteError: the cache cannot be written.
        PreparationError: a process was killed.
    """
    parser = data_parser("prepare", _DESCRIPTION, (SceneDataModule, Folder))
    parser.add_argument("--workers", type=int, default=_cores(), help="Processes; fewer need less memory.")
    parser.add_argument(
        "--verify", action="store_true", help="Compare prepared cubes with their checksums; make damaged ones again."
    )
    given = built(parser, "prepare", arguments)
    if isinstance(given.data, Folder):
        return _look_through(given.data, arguments)
    data: SceneDataModule = given.data
    data.captions = None  # a caption file is none of the files that are prepared
    with closing(_Bar()) as bar:
        done = prepare(data, given.workers, bar, given.verify)
    console = Console()
    if done.failed:
        table = Table("scene", "why it cannot be used")
        for name, sentence in done.failed.items():
            table.add_row(name, sentence)
        console.print(table, markup=False, highlight=False)
    for line in summary(data, done):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    sys.stdout.write(last_lines({"prepared scenes": data.cache.folder}, following(data, arguments, done.usable)))
    return 0 if done.usable else 1


def following(data: SceneDataModule, arguments: Sequence[str], usable: bool) -> list[str]:
    """Return the words of the command that trains on the scenes; where they cannot be used, those of this one again.

    Args:
        data: the data set.
        arguments: what the user typed after `prepare`.
        usable: whether all scenes that the configs name can be used.
    """
    words = without(arguments, ("workers", "verify"))
    if not usable:
        return ["prepare", *words]
    task = next((word.partition("tasks/")[2] for word in words if "tasks/" in word), "")
    if task.startswith("fusion"):
        return ["fit", "--config", "fusion/srlf", *words]
    enlarged = "_x4" if task.startswith("super_resolution") else ""
    bands = len(data.wavelengths)
    channels = ["--model.network.input_channels", str(bands)] if bands != _BANDS else []
    recipe = [*([] if task else ["--config", "tasks/gaussian"]), "--config", "hir_align/pretrain", *channels]
    return ["fit", "--config", f"backbones/sert_compact{enlarged}", *words, *recipe]


def summary(data: SceneDataModule, done: Preparation) -> Iterator[str]:
    """Yield the lines that say what was prepared, what is missing and what to do about it.

    Args:
        data: the data set.
        done: what became of its scenes.
    """
    owner, expected = type(data).__name__, done.expected
    yield (
        f"{owner}: {len(done.made)} scenes prepared, {len(done.kept)} were already, {len(done.failed)} cannot be used "
        f"({data.cache.folder})."
    )
    if done.missing:
        number = f"{len(done.missing)} of {len(expected.names)} scenes are missing"
        yield f"{number}: {', '.join(done.missing)}."
    if (done.missing or done.failed) and expected.where:
        yield f"To complete {owner}, {expected.where}."
    if done.missing or done.failed:
        for archive in expected.packed():
            yield f"The archive {archive} is there: unpack it again."
    for remark, names in done.remarks.items():
        yield f"{remark}: {', '.join(names)}." if names else remark
    yield from done.lacking


def _look_through(folder: Folder, arguments: Sequence[str]) -> int:
    """Read every cube of a folder once, say what was found, and return the exit code."""
    console, table, failed = Console(), Table("cube", "bands x rows x columns", "nm", "values", "missing"), Table()
    failed.add_column("cube")
    failed.add_column("why it cannot be used")
    with closing(_Bar()) as bar:
        paths = folder.paths()
        bar(0, len(paths))
        for done, path in enumerate(paths, start=1):
            try:
                table.add_row(path.name, *_facts(folder, path))
            except (HyperalignError, OSError) as error:
                failed.add_row(path.name, str(error))
            bar(done, len(paths))
    for name, sentence in folder.failures.items():
        failed.add_row(name, sentence)
    for one in (table, failed):
        if one.row_count:
            console.print(one, markup=False, highlight=False)
    console.print(
        f"Folder: {table.row_count} cubes can be used, {failed.row_count} cannot; nothing is converted, as cubes are "
        "read where they are.",
        soft_wrap=True,
    )
    if not table.row_count:
        return 1
    read = without_options(without(arguments, ("config", "workers", "verify")), ("--data", "--data.root"))
    sys.stdout.write(last_lines({"cubes": folder.root}, ["adapt", "--data.root", str(folder.root), *read]))
    return 1 if failed.row_count else 0


def _facts(folder: Folder, path: Path) -> tuple[str, str, str, str]:
    """Return what a table says of a cube: its sizes, its wavelengths, its values, and how many are missing.

    Raises:
        HyperalignError: if it cannot be used.
    """
    file = folder.opened(path)
    found = measured(file, np.arange(file.shape[0]), medians=False)
    centres = file.wavelengths
    return (
        " x ".join(map(str, file.shape)),
        "not stated" if centres is None else f"{centres[0]:g} to {centres[-1]:g}",
        f"{file.dtype}, {found.low:g} to {found.high:g}",
        f"{found.missing:,} ({found.missing / math.prod(file.shape):.1%})" if found.missing else "none",
    )


class _Bar:
    """A progress bar that appears once there is something to do."""

    def __init__(self) -> None:
        self._bar: tqdm | None = None

    def __call__(self, done: int, total: int) -> None:
        if self._bar is None:
            self._bar = tqdm(desc="scenes", unit=" scenes", total=total, dynamic_ncols=True)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()


def _cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
