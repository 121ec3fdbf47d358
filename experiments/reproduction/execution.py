"""Runs what a store lacks, one run after another, and writes down what came of each."""

from __future__ import annotations

import csv
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from experiments.cli import run as run_command
from experiments.configuration.files import resolve_configs
from experiments.configuration.unimported.answers import answered
from experiments.process.failures import told
from experiments.reproduction import artifacts
from experiments.reproduction.plan import Run, settings_of
from experiments.reproduction.provenance import Taken, provenance, taken
from experiments.reproduction.shares import array_task, is_first, share
from experiments.reproduction.specification import METRICS
from experiments.reproduction.store import Record, ResultsStore
from hyperalign.errors import MissingFileError
from hyperalign.files import put_in_place

if TYPE_CHECKING:
    from experiments.configuration.lightning_cli import HyperalignCLI

log = logging.getLogger(__name__)


def missing(run: Run, store: ResultsStore) -> bool:
    """Tell whether a run is to be made: not there yet, or failed, or its data have come since."""
    record = store.record(run.digest)
    return not run.lacks and (record is None or record.status != "done")


def note_absent(run: Run, store: ResultsStore) -> None:
    """Keep that a run cannot be made here, unless it was made before."""
    record = store.record(run.digest)
    if run.lacks and (record is None or record.status != "done"):
        store.write(Record(run.digest, run.command, run.words, run.seed, "absent", "; ".join(run.lacks)))


def make_share(runs: Sequence[Run], store: ResultsStore, group: Callable[[Run], str]) -> int:
    """Make this process's share of the runs that are missing, and return how many of it failed.

    Args:
        runs: of all processes, each once.
        store: where their files and records go.
        group: what runs have in common that one process should make, see `shares.share`.

    Raises:
        ConfigError: where a run names a key or a class that does not exist; then none is made.
    """
    if is_first():
        for run in runs:
            note_absent(run, store)
    # Decided before the first run, so that all ranks agree on what there is to do; and shared before what is done is
    # left out, since tasks that begin at different times would else divide different lists.
    waiting = {run.digest for run in runs if missing(run, store)}
    possible = [run for run in runs if not run.lacks]
    own = [run for run in share(possible, group, *array_task()) if run.digest in waiting]
    for run in own:
        answered(resolve_configs(line_of(run, store)))
    log.info("%d of %d runs are missing, %d of them are this process's", len(waiting), len(runs), len(own))
    failed = 0
    for run in own:
        record = make(run, store)
        failed += record.status != "done"
        if record.status != "done" and is_first():
            sys.stderr.write(f"error: run {run.digest} failed: {record.reason}\n")
    return failed


def make(run: Run, store: ResultsStore) -> Record:
    """Make a run, and first the one that trains its source; failures of this house's own kinds become records.

    Every rank of a distributed run calls it; the first one writes.

    Args:
        run: with nothing that it lacks.
        store: where its files and its record go.

    Raises:
        Exception: whatever is no error meant for people.
    """
    if run.source is not None and not store.checkpoint(run.source.digest).exists():
        before = make(run.source, store)
        if before.status != "done":
            failed = _record(run, "failed", f"its source could not be trained: {before.reason}")
            return _written(failed, store)
    folder = store.folder(run.digest)
    words = line_of(run, store)
    log.info("run %s, seed %d: hyperalign %s", run.digest, run.seed, " ".join(run.words))
    command = None
    with taken() as cost:
        try:
            command = run_command(words)
        except Exception as error:
            found = told(error)
            if found is None:
                raise
            record = _record(run, "failed", found[0])
    if command is not None:
        record = _done(run, command, folder, store)
    return _written(_with_cost(record, cost), store)


def line_of(run: Run, store: ResultsStore) -> list[str]:
    """Return the whole command line of a run whose folders are those of a store.

    A run that was interrupted goes on from the last checkpoint in its folder.
    """
    folder = store.folder(run.digest)
    seed = str(run.seed)
    words = [run.command, *run.words, "--data.seed", seed, "--seed_everything", seed]
    words += ["--trainer.default_root_dir", str(folder), *run.paths]
    checkpoint = store.checkpoint(run.source.digest) if run.source else run.checkpoint
    if checkpoint is not None:
        words += ["--model.source", str(checkpoint)]
    if run.command != "test":
        last = sorted(folder.rglob("last.ckpt"), key=lambda path: path.stat().st_mtime)
        words += ["--ckpt_path", str(last[-1])] if last else []
    if run.command == "fit":
        return words
    settings = settings_of(run.words)
    if settings.get("proxy"):
        words += ["--proxy.store", str(store.stages())]
    words += ["--verbose", "false", "--results", "callbacks.ResultsTable", "--results.compare_source", "false"]
    words += ["--results.folder", str(folder), "--results.name", "ours"]
    return [*words, "--pictures", "callbacks.SceneArchive", "--pictures.folder", str(folder / "scenes")]


def _done(run: Run, command: HyperalignCLI, folder: Path, store: ResultsStore) -> Record:
    record = _record(run, "done")
    if run.command == "fit":
        if is_first():
            store.checkpoint(run.digest).parent.mkdir(parents=True, exist_ok=True)
            put_in_place(_last_checkpoint(command, folder), store.checkpoint(run.digest))
        return replace(record, facts={"steps": command.trainer.global_step})
    if not is_first():
        return record
    facts = artifacts.keep(command.trainer, folder)
    facts |= {"degradation": artifacts.degradation_of(command.trainer)}
    facts["parameters"] = sum(one.numel() for one in command.model.parameters())
    protocol = (folder / "results.md").read_text(encoding="utf-8").splitlines()[0].removeprefix("Protocol: ")
    return replace(record, scenes=tuple(_scenes(folder / "results.csv")), protocol=protocol, facts=facts)


def _last_checkpoint(command: HyperalignCLI, folder: Path) -> Path:
    from experiments.ending.places import checkpoint_of

    found = checkpoint_of(command.trainer)
    if found is None:
        raise MissingFileError(f"The run in {folder} left no checkpoint: its configurations need a ModelCheckpoint.")
    return found


def _scenes(path: Path) -> list[Mapping[str, Any]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [
            {"test_set": line["test_set"], "scene": line["scene"], **{name: float(line[name]) for name in METRICS}}
            for line in csv.DictReader(file)
        ]


def _record(run: Run, status: str, reason: str = "") -> Record:
    source = run.source.digest if run.source else (Path(run.checkpoint).name if run.checkpoint else None)
    return Record(run.digest, run.command, run.words, run.seed, status, reason, source=source)


def _with_cost(record: Record, cost: Taken) -> Record:
    facts = {**record.facts, "cpu_seconds": round(cost.cpu_seconds, 2)}
    if cost.device_memory:
        facts["device_memory"] = round(cost.device_memory, 3)
    return replace(
        record,
        seconds=round(cost.seconds, 2),
        memory=round(cost.memory, 3),
        facts=facts,
        provenance=provenance(),
    )


def _written(record: Record, store: ResultsStore) -> Record:
    if is_first():
        store.write(record)
    return record


def unique(runs: Sequence[Run]) -> list[Run]:
    """Return runs that are the same once, in their order."""
    return list(cast("dict[str, Run]", {run.digest: run for run in runs}).values())
