"""Seconds of the processor."""

from __future__ import annotations

import time

import torch

from experiments.commands.benchmark.timing import best_seconds

CPU = torch.device("cpu")


def test_waiting_takes_no_seconds_of_the_processor() -> None:
    assert best_seconds(lambda: time.sleep(0.1), CPU) < 0.05


def test_no_further_run_begins_after_enough_seconds() -> None:
    runs = list[int]()

    def work() -> None:
        runs.append(0)
        begin = time.process_time()
        while time.process_time() - begin < 0.02:
            pass

    assert best_seconds(work, CPU, rounds=5, enough=0.03) >= 0.02
    assert len(runs) == 2
