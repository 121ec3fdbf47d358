"""Which runs of a table fall to this process: a task of a job array, and one process among the ranks of a run."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from experiments.process.launchers import RANK_VARIABLES
from hyperalign.errors import UsageError

T = TypeVar("T")


def array_task(environment: Mapping[str, str] | None = None) -> tuple[int, int]:
    """Return number and count of this task of a SLURM job array; 0 and 1 outside of one.

    An array need not begin at 0 (`--array=1-8`): its number is counted from the least, `SLURM_ARRAY_TASK_MIN`, in steps
    of `SLURM_ARRAY_TASK_STEP`.

    Raises:
        UsageError: where the variables hold no numbers.
    """
    given = os.environ if environment is None else environment
    if "SLURM_ARRAY_TASK_ID" not in given:
        return 0, 1
    try:
        number = int(given["SLURM_ARRAY_TASK_ID"])
        least, step = int(given.get("SLURM_ARRAY_TASK_MIN", "0")), int(given.get("SLURM_ARRAY_TASK_STEP", "1"))
        count = int(given.get("SLURM_ARRAY_TASK_COUNT", "1"))
    except ValueError as error:
        raise UsageError(f"The variables SLURM_ARRAY_TASK_* hold no number ({error}): unset them.") from error
    return (number - least) // max(step, 1) % max(count, 1), max(count, 1)


def share(items: Sequence[T], group: Callable[[T], str], task: int, tasks: int) -> list[T]:
    """Return one task's part of the items, in their order: groups stay together where there are enough of them.

    Args:
        items: of all tasks.
        group: what items of one group have in common, such as a source that has to be trained first.
        task: number of this task, from 0.
        tasks: their count.
    """
    groups = list(dict.fromkeys(group(item) for item in items))
    if len(groups) >= tasks:
        own = set(groups[task::tasks])
        return [item for item in items if group(item) in own]
    return list(items[task::tasks])


def is_first(environment: Mapping[str, str] | None = None) -> bool:
    """Tell whether this is the first process of a run, which alone writes down what came of it."""
    given = os.environ if environment is None else environment
    return all(given.get(name, "0") == "0" for name in RANK_VARIABLES)
