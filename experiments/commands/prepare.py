"""`hyperalign prepare`: checks a download and converts it once into the cache that training reads from."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing

from rich.console import Console
from rich.table import Table
from tqdm import tqdm  # type: ignore[import-untyped]

from datamodules import SceneDataModule
from datamodules.preparation import Preparation, prepare
from experiments.configuration.sections import built, data_parser

_DESCRIPTION = """\
Checks a download and converts every scene once into the memory-mapped cache: `hyperalign prepare --config data/cave
--data.root FOLDER`. It says which scenes are missing or damaged and where to get them; the others are prepared. An
interrupted command goes on where it stopped, and a second one finds everything done. Whole scenes are prepared unless
the configs name a crop or a super-resolution task; crops are cut from prepared whole scenes later without decoding.
The exit code is 1 if a scene is damaged, or one that the configs train or test on is missing."""


def main(arguments: Sequence[str]) -> int:
    """Run `hyperalign prepare`.

    Args:
        arguments: what stands after `prepare` on the command line.

    Returns:
        0 if all scenes of the config can be used, 1 if not.

    Raises:
        ConfigNotFoundError: A `--config` names no file.
        ConfigError: A key, a class or a value is wrong.
        FileNotFoundError: The data set is not there.
        CacheWriteError: The cache cannot be written.
        PreparationError: A process was killed.
    """
    parser = data_parser("prepare", _DESCRIPTION)
    parser.add_argument("--workers", type=int, default=_cores(), help="Processes; fewer need less memory.")
    parser.add_argument(
        "--verify", action="store_true", help="Compare prepared cubes with their checksums; make damaged ones again."
    )
    given = built(parser, "prepare", arguments)
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
    return 0 if done.usable else 1


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
