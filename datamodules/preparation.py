"""Converting a whole data set once into the memory-mapped cache, and saying what is missing or damaged in it.

A scene that cannot be read is named and does not keep the others from being prepared. Every scene is written under a
temporary name and renamed, so that an interrupted preparation goes on with the scenes it had not finished.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

import torch

from datamodules.base import SceneDataModule, Subset
from datamodules.scenes import MappedScene
from datamodules.scenes.cache import CacheWriteError
from datamodules.scenes.expected import Expected, checksum
from hyperalign.errors import HyperalignError, InputError


class PreparationError(HyperalignError, RuntimeError):
    """A preparation that could not go on; what was finished is kept."""


@dataclass(frozen=True)
class Preparation:
    """What was done, and what is wrong with the download.

    Attributes:
        made: scenes that were converted now.
        kept: scenes that had a sound cube already.
        failed: one sentence for each scene that cannot be used.
        lacking: one sentence for each subset of the configuration that names scenes which are not there.
        missing: scenes of the complete data set that are not there.
        remarks: what else differs from the complete data set, and the scenes concerned; none for the data set itself.
        expected: what a complete download holds.
    """

    made: tuple[str, ...]
    kept: tuple[str, ...]
    failed: dict[str, str]
    lacking: tuple[str, ...]
    missing: tuple[str, ...]
    remarks: dict[str, tuple[str, ...]]
    expected: Expected

    @property
    def usable(self) -> bool:
        """Whether every scene found can be used and every scene asked for was found."""
        return not self.failed and not self.lacking


@dataclass(frozen=True)
class _Outcome:
    """What became of one scene: the sentence why it failed, or else remarks about it."""

    failure: str = ""
    remarks: tuple[str, ...] = ()


def prepare(
    data: SceneDataModule, workers: int, progress: Callable[[int, int], None], verify: bool = False
) -> Preparation:
    """Convert all scenes that have no sound cube yet, with the crop and the scale of the configuration.

    Args:
        data: the data set.
        workers: processes that convert; 1 converts in this one.
        progress: is called with the number of converted scenes and the number to convert.
        verify: compare every prepared cube with its checksum, where otherwise size and time are trusted, and make a
            damaged one again.

    Raises:
        ValueError: for fewer than one worker.
        FileNotFoundError: if the data set is not there; the sentence says what was looked for and what was found.
        CacheWriteError: if the cache cannot be written.
        PreparationError: if a process was killed.
    """
    if workers < 1:
        raise InputError(f"No scene can be prepared by {workers} processes: give at least 1, or leave `workers` out.")
    names, expected = data.scene_names(), data.expected()
    data.cache.remove_remains()
    kept, outcomes = _present(data, names, expected, verify)
    waiting = [name for name in names if name not in outcomes]
    if waiting:
        progress(0, len(waiting))
    for done, (name, outcome) in enumerate(_converted(data, waiting, expected, workers), start=1):
        outcomes[name] = outcome
        progress(done, len(waiting))
    remarks: dict[str, tuple[str, ...]] = dict.fromkeys((*expected.wrong_sizes(), *expected.remarks), ())
    for name in names:
        for remark in outcomes[name].remarks:
            remarks[remark] = (*remarks.get(remark, ()), name)
    return Preparation(
        made=tuple(name for name in waiting if not outcomes[name].failure),
        kept=kept,
        failed={name: outcomes[name].failure for name in names if outcomes[name].failure},
        lacking=_lacking(data),
        missing=tuple(name for name in expected.names if name not in set(names)),
        remarks=remarks,
        expected=expected,
    )


def _present(
    data: SceneDataModule, names: Sequence[str], expected: Expected, verify: bool
) -> tuple[tuple[str, ...], dict[str, _Outcome]]:
    """The scenes that are prepared, and what is known of them and of those whose files cannot even be listed."""
    kept: list[str] = []
    outcomes: dict[str, _Outcome] = {}
    for name in names:
        try:
            scene = data.prepared(name, verify)
        except (ValueError, OSError) as error:
            outcomes[name] = _Outcome(str(error))
            continue
        if scene is not None:
            kept.append(name)
            outcomes[name] = _Outcome(remarks=_size_remarks(data, scene, expected))
    return tuple(kept), outcomes


def _lacking(data: SceneDataModule) -> tuple[str, ...]:
    """One sentence for each subset of the data set's role that names scenes which are not there."""
    subsets: tuple[Subset, ...] = ("training", "validation") if data.role == "source" else ("observed", "unobserved")
    sentences = []
    for subset in subsets:
        try:
            data.names(subset)
        except ValueError as error:
            sentences.append(str(error))
    return tuple(sentences)


def _converted(
    data: SceneDataModule, names: Sequence[str], expected: Expected, workers: int
) -> Iterator[tuple[str, _Outcome]]:
    """Each scene with what became of it, as they are finished."""
    if min(workers, len(names)) <= 1:
        for name in names:
            yield name, _convert(data, name, expected)
        return
    method = "fork" if sys.platform == "linux" else "spawn"
    pool = ProcessPoolExecutor(
        min(workers, len(names)), multiprocessing.get_context(method), _start_worker, (data, expected)
    )
    try:
        # What a data set works out once for all of its scenes is worked out with the first, not by all processes.
        futures: dict[Future[_Outcome], str] = {pool.submit(_convert_shared, names[0]): names[0]}
        yield names[0], next(iter(futures)).result()
        futures = {pool.submit(_convert_shared, name): name for name in names[1:]}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool as error:
        raise PreparationError(
            "A process that prepared scenes was killed, probably because memory ran out: run again with fewer "
            "`--workers`, which keeps the scenes that are finished."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


_shared: list[tuple[SceneDataModule, Expected]] = []
"""In a worker: the data set, which a forked process inherits, so that it need not be sent with every scene."""


def _start_worker(data: SceneDataModule, expected: Expected) -> None:
    """One thread for each process, none of which outlives the command or prints a traceback of its own on Ctrl-C."""
    _shared.append((data, expected))
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


def _convert_shared(name: str) -> _Outcome:
    data, expected = _shared[-1]
    return _convert(data, name, expected)


def _convert(data: SceneDataModule, name: str, expected: Expected) -> _Outcome:
    """Make the cube of one scene.

    Raises:
        CacheWriteError: if the cache cannot be written, which no other scene would change.
    """
    try:
        scene = data.scenes([name])[0]
        remarks = _size_remarks(data, scene, expected) + _checksum_remarks(data, name, expected)
    except CacheWriteError:
        raise
    except (ValueError, OSError) as error:
        return _Outcome(str(error))
    except Exception as error:  # a library may meet a damaged file with any error, and the other scenes are sound
        return _Outcome(f"Reading the scene {name!r} ended with {type(error).__name__} ({error}): download it again.")
    return _Outcome(remarks=remarks)


def _size_remarks(data: SceneDataModule, scene: MappedScene, expected: Expected) -> tuple[str, ...]:
    """Whether the whole scene has another size than the data set is known to have."""
    if expected.shape is None or data.crop is not None or data.degradation.scale != 1:
        return ()
    if scene.shape == expected.shape:
        return ()
    found, wanted = (" x ".join(map(str, sizes)) for sizes in (scene.shape, expected.shape))
    return (f"The size is {found} instead of {wanted}, so it is no original",)


def _checksum_remarks(data: SceneDataModule, name: str, expected: Expected) -> tuple[str, ...]:
    """Whether the files differ from the recorded ones."""
    recorded = expected.checksums.get(name)
    if recorded is None or not (files := data.source_files(name)) or checksum(files) == recorded:
        return ()
    return ("The files can be read but their checksum is not the recorded one, so they are another copy",)
