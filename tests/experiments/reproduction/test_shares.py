"""Tasks of a job array share the runs without one left over or taken twice; one process writes."""

from __future__ import annotations

import pytest

from experiments.reproduction.shares import array_task, is_first, share
from hyperalign.errors import UsageError

ITEMS = ["a1", "a2", "b1", "c1", "c2", "c3"]


def first_letter(item: str) -> str:
    return item[0]


@pytest.mark.parametrize("tasks", [1, 2, 3, 4, 7])
def test_every_run_falls_to_one_task(tasks: int) -> None:
    parts = [share(ITEMS, first_letter, task, tasks) for task in range(tasks)]
    assert sorted(item for part in parts for item in part) == ITEMS


def test_runs_of_one_source_stay_together_where_there_are_enough_sources() -> None:
    assert share(ITEMS, first_letter, 0, 3) == ["a1", "a2"]
    assert share(ITEMS, first_letter, 0, 2) == ["a1", "a2", "c1", "c2", "c3"]
    assert share(ITEMS, first_letter, 1, 4) == ["a2", "c3"]


def test_an_array_is_counted_from_its_least_number() -> None:
    assert array_task({}) == (0, 1)
    one = {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "8", "SLURM_ARRAY_TASK_MIN": "1"}
    assert array_task(one) == (2, 8)
    assert array_task(one | {"SLURM_ARRAY_TASK_ID": "5", "SLURM_ARRAY_TASK_STEP": "2"}) == (2, 8)
    with pytest.raises(UsageError, match="SLURM_ARRAY_TASK_"):
        array_task({"SLURM_ARRAY_TASK_ID": "x"})


def test_the_first_rank_alone_writes() -> None:
    assert is_first({})
    assert is_first({"SLURM_PROCID": "0", "LOCAL_RANK": "0"})
    assert not is_first({"SLURM_PROCID": "3", "LOCAL_RANK": "0"})
