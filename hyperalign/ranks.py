"""Ranks: how the adaptation stages share work between processes and end together when one of them fails."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import torch.distributed as dist

from hyperalign.watch import RankLostError, watch

T = TypeVar("T")


def world() -> tuple[int, int]:
    """Return the number of ranks and this rank: 1 and 0 outside of distributed runs."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_world_size(), dist.get_rank()
    return 1, 0


def all_gathered(item: T) -> list[T]:
    """Return the (picklable) item of every rank, in the order of the ranks; outside of distributed runs its own."""
    size, _ = world()
    if size == 1:
        return [item]
    parts: list[Any] = [None] * size
    dist.all_gather_object(parts, item)
    return parts


class StageError(RankLostError):
    """A stage failed on another rank; the message names the rank and repeats its error."""


class Ranks:
    """One process among the processes of a distributed run (one process when torch.distributed is not set up).

    Attributes:
        rank: this process's number, 0 for the first.
        size: the number of processes.
    """

    def __init__(self) -> None:
        self.size, self.rank = world()
        self.distributed = self.size > 1

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """Return this rank's part of the items: every `size`-th one."""
        return items[self.rank :: self.size]

    @contextmanager
    def meeting(self) -> Iterator[None]:
        """Wait for all ranks at the end of the block, and let none go on unless all of them succeeded.

        Every rank must enter the same meetings in the same order.

        Raises:
            Exception: on a failing rank its own error.
            StageError: on every other rank, naming the first failing rank and its error.
            RankLostError: if a rank is gone without a word.
        """
        if not self.distributed:
            yield
            return
        error: Exception | None = None
        try:
            yield
        except Exception as caught:
            # Whatever ends one rank must end all of them, so nothing is let through before the others know.
            error = caught
        try:
            messages = self._gather(None if error is None else f"{type(error).__qualname__}: {error}")
        except RankLostError:
            if error is None:
                raise
            messages = []
        if error is not None:
            raise error
        for rank, message in enumerate(messages):
            if message is not None:
                raise StageError(f"Rank {rank} of {self.size} ended the stage with {message}")

    def gathered(self, item: T) -> list[T]:
        """Return every rank's item, in the order of the ranks; every rank must call it at the same point."""
        return cast("list[T]", self._gather(item)) if self.distributed else [item]

    def first(self, work: Callable[[], T]) -> T:
        """Run `work` on rank 0 alone and return its (picklable) result on every rank.

        Raises:
            Exception: as `meeting`.
        """
        result: T | None = None
        with self.meeting():
            if self.rank == 0:
                result = work()
        return cast("T", self._gather(result)[0] if self.distributed else result)

    def _gather(self, item: object) -> list[Any]:
        return watch().exchange(item)
