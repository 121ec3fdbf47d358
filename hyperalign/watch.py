"""The watch that the processes of a distributed run keep on each other, so that none waits for one that is gone.

Every rank leaves a sign of life in the store of the default process group, and looks for those of the others. A rank
that fails leaves its sentence there; a rank whose signs stop, because it was killed or its machine is gone, is named by
the others, whatever launcher started them and whatever they wait in: at once where it ran on the same machine, whose
table of processes is asked, else when its signs are overdue.
"""

from __future__ import annotations

import multiprocessing.util
import os
import pickle
import re
import sys
import threading
import time
from base64 import b64decode, b64encode
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore

from hyperalign.errors import HyperalignError, sentence

__all__ = ["RankLostError", "Watch", "is_consequence", "lost_rank", "watch"]

BEAT_SECONDS = 2.0
"""Time between two signs of life."""

LOST_SECONDS = 30.0
"""Time without a sign of life after which a rank counts as gone."""

FAREWELL_SECONDS = 6.0
"""Time for which a rank that fails waits until the others have read why, and they for their own main thread to end."""

_PREFIX = "hyperalign"
_COLLECTIVE = re.compile(r"gloo|nccl|closed by peer|reset by peer|broken pipe|socket|timed out|store", re.IGNORECASE)
"""What the libraries of collective operations say when another process is gone."""
_ENDED = "ended"


class RankLostError(HyperalignError, RuntimeError):
    """Another rank failed or is gone; the message names it."""


class Watch:
    """A rank's part of the watch, kept by a thread of its own until the process group or the process ends."""

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        group = dist.distributed_c10d._get_default_store()
        # A client of its own where the store has one: a call of another thread that waits would hold up the signs.
        self._store = PrefixStore(_PREFIX, _own_client(group))
        self._messages = PrefixStore(f"{_PREFIX}-messages", _own_client(group))
        for store in (self._store, self._messages):
            store.set_timeout(timedelta(seconds=LOST_SECONDS))
        self.group = dist.distributed_c10d._get_default_group()
        self._over: set[int] = set()
        self._exchanges = 0
        self._seen: dict[int, tuple[bytes, float]] = {}
        self._done = threading.Event()
        self._sentence = ""
        self._homes: dict[int, str] = {}
        self._home = _home()
        self._store.set(f"home/{self.rank}", self._home)
        self._sign("0")
        self._thread = threading.Thread(target=self._keep, name="rank watch", daemon=True)
        self._thread.start()
        # Called at the end of this process, whether Python or multiprocessing started it.
        self._last = multiprocessing.util.Finalize(None, self.end, exitpriority=10)

    @property
    def alive(self) -> bool:
        """Whether this watch is still kept."""
        return not self._done.is_set()

    def exchange(self, item: object) -> list[Any]:
        """Return every rank's (picklable) item, in the order of the ranks; all must call it at the same point.

        Raises:
            RankLostError: naming a rank that failed or is gone.
        """
        number, pause = self._exchanges, 0.002
        self._exchanges += 1
        keys = [f"{number}/{rank}" for rank in range(self.size)]
        try:
            self._messages.set(keys[self.rank], b64encode(pickle.dumps(item)).decode())
            while not self._messages.check(keys):
                if found := self.lost() or self._left_without(keys):
                    raise RankLostError(found)
                time.sleep(pause)
                pause = min(2 * pause, 0.2)
            # What is read was written by the other processes of this run, a moment ago.
            items = [pickle.loads(b64decode(self._messages.get(key))) for key in keys]  # noqa: S301
        except RuntimeError as error:
            if isinstance(error, RankLostError):
                raise
            raise RankLostError(self._sentence or self._gone(0)) from error
        with suppress(RuntimeError):
            # Whoever is here has read the exchange before, and so have all others: they have answered this one.
            self._messages.delete_key(f"{number - 1}/{self.rank}")
        return items

    def lost(self) -> str:
        """Return the sentence of the first other rank that failed or is gone; an empty text if all are well."""
        if self._sentence:
            return self._sentence
        for rank in (other for other in range(self.size) if other != self.rank):
            state, text = self._state_of(rank)
            if state != "well":
                self._sentence = text
                return text
        return ""

    def _left_without(self, keys: list[str]) -> str:
        """Return a sentence if a rank has ended its work without answering an exchange."""
        for rank in list(self._over):
            if not self._messages.check([keys[rank]]):
                return f"Rank {rank} of {self.size} ended before the others: look at its output."
        return ""

    def fail(self, error: BaseException) -> None:
        """Leave word why this rank ends, and wait a moment until the others have read it."""
        if not self.alive or isinstance(error, RankLostError):
            return
        with suppress(RuntimeError):
            reason = "its termination (SIGTERM)" if isinstance(error, SystemExit) else f"{type(error).__qualname__}: "
            told = reason if isinstance(error, SystemExit) else reason + sentence(error)
            self._store.set(f"failed/{self.rank}", told)
            self._wait_for_others("read")

    def end(self) -> None:
        """Leave the watch: what this rank does from now on is nobody's concern."""
        if self._done.is_set():
            return
        self._done.set()
        self._last.cancel()
        with suppress(RuntimeError):
            self._store.set(f"{_ENDED}/{self.rank}", "1")
            if self.rank == 0:
                # The store ends with this process, and the others must know that it did so in order.
                self._wait_for_others("bye")

    def _wait_for_others(self, word: str) -> None:
        """Wait a moment until each of the others has read this rank's last word, or has ended."""
        others = [rank for rank in range(self.size) if rank != self.rank]
        waited = time.monotonic() + FAREWELL_SECONDS
        while others and time.monotonic() < waited:
            self.lost()
            others = [
                rank
                for rank in others
                if not self._store.check([f"{_ENDED}/{rank}"]) and not self._store.check([f"{word}/{self.rank}/{rank}"])
            ]
            time.sleep(0.02)

    def _state_of(self, rank: int) -> tuple[Literal["well", "failed", "gone"], str]:
        # Asked before its last words are: one that says them and ends is not gone without a word.
        dead = self._is_dead(rank)
        if self._store.check([f"failed/{rank}"]):
            text = self._store.get(f"failed/{rank}").decode()
            self._store.set(f"read/{rank}/{self.rank}", "1")
            return "failed", f"Rank {rank} of {self.size} ended with {text}"
        if self._store.check([f"{_ENDED}/{rank}"]):
            if rank not in self._over:
                self._over.add(rank)
                self._store.set(f"bye/{rank}/{self.rank}", "1")
            return "well", ""
        if dead:
            return "gone", self._gone(rank)
        now = time.monotonic()
        sign = self._store.get(f"alive/{rank}") if self._store.check([f"alive/{rank}"]) else b""
        before, since = self._seen.get(rank, (b"", now))
        if sign != before or rank not in self._seen:
            self._seen[rank] = (sign, now)
        elif now - since > LOST_SECONDS:
            return "gone", self._gone(rank)
        return "well", ""

    def _is_dead(self, rank: int) -> bool:
        """Whether a rank of this machine has no process any more; those of other machines are told by their signs."""
        if rank not in self._homes and self._store.check([f"home/{rank}"]):
            self._homes[rank] = self._store.get(f"home/{rank}").decode()
        return is_dead(self._homes.get(rank, ""), self._home)

    def _gone(self, rank: int) -> str:
        return (
            f"Rank {rank} of {self.size} is gone without a word, killed or with its machine: look at its output and at "
            "the memory there, and run again, which goes on from what is finished."
        )

    def _sign(self, beat: str) -> None:
        self._store.set(f"alive/{self.rank}", beat)

    def _keep(self) -> None:
        """Leave signs of life; end the process where another rank is lost and the main thread cannot see it."""
        beat = 0
        while not self._done.wait(BEAT_SECONDS) and dist.is_initialized():
            beat += 1
            try:
                self._sign(str(beat))
                found = self.lost()
            except RuntimeError:
                # The store is with rank 0: either it is gone, or the run is over.
                if 0 in self._over or self._done.wait(FAREWELL_SECONDS) or not dist.is_initialized():
                    break
                found = self._sentence = self._gone(0)
            if found:
                self._end_process()
                return
        self.end()

    def _end_process(self) -> None:
        """End this process unless its main thread does so itself: it may wait in a collective operation for ever."""
        if self._done.wait(FAREWELL_SECONDS):
            return
        sys.stderr.write(f"error: {self._sentence}\n")
        sys.stderr.flush()
        os._exit(1)


def _home() -> str:
    """Return this machine's start, its table of processes, this process's number and start; empty where none says."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()} {os.getpid()} {_started(os.getpid())[1]}"
    except (OSError, IndexError):
        return ""


def _started(number: int) -> tuple[str, str]:
    """Return the state of a process and when it was started."""
    # The name in brackets may hold blanks.
    facts = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    return facts[0], facts[19]


def is_dead(home: str, own: str) -> bool:
    """Tell whether the process of another home has ended; False where it cannot be known from here.

    Args:
        home: where that process said it runs.
        own: where this one does.
    """
    there, here = home.split(), own.split()
    if len(there) != 4 or there[:2] != here[:2]:
        return False
    try:
        state, started = _started(int(there[2]))
    except ProcessLookupError:
        return True
    except (OSError, IndexError):
        return not Path(f"/proc/{there[2]}").exists()
    # One that its launcher has not asked after yet is still listed.
    return state in ("Z", "X") or started != there[3]


_watches: list[Watch] = []


def watch() -> Watch:
    """Return this process's watch of the present process group, begun with the first call on every rank."""
    if _watches and (not _watches[-1].alive or _watches[-1].group is not dist.distributed_c10d._get_default_group()):
        _watches.pop().end()
    if not _watches:
        _watches.append(Watch())
    return _watches[-1]


def is_consequence(error: BaseException) -> bool:
    """Tell whether an error only says that another rank is lost."""
    if isinstance(error, HyperalignError):
        return isinstance(error, RankLostError)
    return isinstance(error, RuntimeError) and bool(_COLLECTIVE.search(str(error)))


def lost_rank(error: BaseException) -> str:
    """Return the sentence of the rank whose loss a collective operation answers with an error; else an empty text.

    Args:
        error: what ended this process's work.
    """
    if not _watches or not is_consequence(error) or isinstance(error, HyperalignError):
        return ""
    present = _watches[-1]
    waited = time.monotonic() + LOST_SECONDS + 2 * BEAT_SECONDS
    while time.monotonic() < waited:
        try:
            if found := present.lost():
                return found
        except RuntimeError:
            return present._gone(0)
        time.sleep(0.1)
    return ""


def _own_client(store: Any) -> Any:  # noqa: ANN401 - any store of torch
    clone = getattr(store, "clone", None)
    if clone is not None:
        with suppress(RuntimeError):
            return clone()
    return store
