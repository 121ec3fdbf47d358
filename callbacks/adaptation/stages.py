"""What both adaptation stages share: completing a store folder, finding their context and telling it."""

import logging
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

import torch
from lightning.pytorch import Trainer

from callbacks.adaptation.store import Entry, Store
from callbacks.progress import Progress
from datamodules.target import AdaptationTarget
from hyperalign.errors import InputError
from hyperalign.ranks import Ranks
from hyperalign.trainers import datamodule_of
from lightning_modules.metrics.memory import give_back_freed

log = logging.getLogger(__name__)

Within = Callable[[float], None]
"""What takes the finished share of one entry, 0 to 1."""

Finished = Callable[[float], None]
"""What takes the number of finished entries; a fraction stands for a part of one."""

Prepare = Callable[[Sequence[str]], None]
"""What takes the names of missing entries before any of them is made."""


def versions(revision: int) -> dict[str, str | int]:
    """Return what a stage's results depend on beside its settings: packages and the stage's own revision."""
    try:
        own = version("hyperalign")
    except PackageNotFoundError:
        own = "checkout"
    return {"hyperalign": own, "torch": torch.__version__, "revision": revision}


def complete(
    label: str,
    store: Store,
    names: Sequence[str],
    make: Callable[[str, Within], None],
    ranks: Ranks,
    progress: Progress | None = None,
    prepare: Prepare | None = None,
) -> list[Entry]:
    """Make the missing entries of a folder one by one, shared between the ranks, and return all of them.

    Args:
        label: the stage's name in progress bars.
        store: the stage's folder.
        names: the entries wanted.
        make: computes one entry and writes it; its second argument takes the finished share
            of the entry, 0 to 1.
        ranks: the processes that share the work; each takes every `size`-th entry.
        progress: called with this rank's number of finished entries.
        prepare: called once on every rank if anything is missing, before the first entry is made, with the names of
            all that are.

    Returns:
        The entries, in the order of `names`, readable on every rank.

    Raises:
        Exception: whatever `make` raises, on every rank (see `Ranks.meeting`).
    """

    def make_share(share: Sequence[str], finished: Finished) -> None:
        for index, name in enumerate(share):
            within = _shifted(finished, index)
            within(0.0)
            # Another run that shares the store may have made the entry in the meantime.
            if not store.valid(name):
                give_back_freed()  # of the entry before
                make(name, within)
            within(1.0)

    return complete_share(label, store, names, make_share, ranks, progress, prepare, Ranks.share)


def neighbours(ranks: Ranks, items: Sequence[str]) -> Sequence[str]:
    """Return this rank's run of consecutive items: no rank's is longer than another's by more than one.

    Items with something in common, next to each other, so fall to as few ranks as an even division allows.
    """
    count = len(items)
    return items[ranks.rank * count // ranks.size : (ranks.rank + 1) * count // ranks.size]


def complete_share(
    label: str,
    store: Store,
    names: Sequence[str],
    make_share: Callable[[Sequence[str], Finished], None],
    ranks: Ranks,
    progress: Progress | None = None,
    prepare: Prepare | None = None,
    split: Callable[[Ranks, Sequence[str]], Sequence[str]] = neighbours,
) -> list[Entry]:
    """Complete, as `complete` does, entries whose making has something in common: a rank's share is made in one call.

    Args:
        label: the stage's name in progress bars.
        store: the stage's folder.
        names: the entries wanted, those with something in common next to each other.
        make_share: computes this rank's missing entries, in the order it likes, and writes each as soon as it is
            finished; its second argument takes the number finished so far, a fraction for a part.
        ranks: the processes that share the work.
        progress: as for `complete`.
        prepare: as for `complete`.
        split: picks a rank's share of what is missing.

    Returns:
        The entries, in the order of `names`, readable on every rank.

    Raises:
        Exception: whatever `make_share` raises, on every rank (see `Ranks.meeting`).
    """
    missing = ranks.first(lambda: [name for name in names if not store.valid(name)])
    if ranks.rank == 0:
        log.info("%s: %s", label, _plan(len(names), len(missing), store))
    if missing and prepare is not None:
        prepare(missing)
    share = split(ranks, missing)

    def finished(count: float) -> None:
        if progress is not None:
            progress(label, count, len(share))

    with ranks.meeting():
        if share:
            make_share(share, finished)
    with ranks.meeting():
        return [store.read(name) for name in names]


def _plan(wanted: int, missing: int, store: Store) -> str:
    """What is taken from the store and what is made."""
    if not missing:
        return f"all {wanted} are taken from the store ({store.folder})"
    taken = f"{wanted - missing} are taken from the store, " if missing < wanted else ""
    return f"{taken}{missing} are made and kept in {store.folder}"


def _shifted(finished: Finished, index: int) -> Within:
    """Return what reports the finished share of the entry number `index` as a part of the whole."""

    def within(share: float) -> None:
        finished(index + share)

    return within


def target_data(trainer: Trainer) -> AdaptationTarget:
    """Return the data that a fit adapts to.

    Raises:
        ValueError: if there are none or their role is not `target`.
    """
    data = datamodule_of(trainer)
    if isinstance(data, AdaptationTarget) and data.role == "target":
        return data
    found = "none was given"
    if data is not None:
        found = f"{type(data).__name__} " + (
            f"has role={data.role!r}" if isinstance(data, AdaptationTarget) else "has none"
        )
    raise InputError(
        f"Adaptation needs a DataModule of degraded target observations, but {found}: set role to 'target'."
    )


def log_stage(trainer: Trainer, stage: str, facts: Mapping[str, float]) -> None:
    """Tell the log and the Trainer's loggers what a stage took and reached (rank 0 only).

    The number of threads is told too: sums over many values are divided among them, so that another number may change
    the last bits of what a stage makes.
    """
    if not trainer.is_global_zero:
        return
    facts = {**facts, "threads": torch.get_num_threads()}
    log.info("%s: %s", stage, ", ".join(f"{name} {value:.4g}" for name, value in facts.items()))
    for logger in trainer.loggers:
        logger.log_metrics({f"{stage}/{name}": value for name, value in facts.items()}, step=trainer.global_step)
