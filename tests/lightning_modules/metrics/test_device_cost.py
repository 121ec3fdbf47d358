"""What work takes on a device: the processor's seconds and resident memory, or the accelerator's own."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
import torch

from lightning_modules.metrics import memory
from lightning_modules.metrics.device_cost import DeviceCost, fewest_seconds


def test_a_cpu_counts_what_the_processor_works_and_what_becomes_resident() -> None:
    with DeviceCost("cpu") as cost:
        time.sleep(0.3)
        assert (cost.seconds, cost.gibibytes) == (0, None)
        torch.ones(100, 2**18)
    assert 0 < cost.seconds < 0.3
    if memory.RESET.exists():
        assert cost.gibibytes == pytest.approx(100 / 1024, abs=0.03)


def test_what_earlier_work_let_go_is_counted_again_where_it_is_used_again() -> None:
    if not memory.RESET.exists():
        pytest.skip("only Linux forgets an older peak")
    # pieces too small to be given back to the system by themselves
    torch.cat([torch.ones(2**14) for _ in range(1600)])
    with DeviceCost("cpu") as cost:
        kept = [torch.ones(2**14) for _ in range(1600)]
    assert len(kept) == 1600
    assert cost.gibibytes == pytest.approx(100 / 1024, abs=0.03)


def test_an_accelerator_is_waited_for_before_and_behind_the_block_and_tells_its_own_peak(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []
    runtime = SimpleNamespace(
        synchronize=lambda which: done.append(f"waited for {which}"),
        reset_peak_memory_stats=lambda which: done.append(f"forgot {which}"),
        max_memory_allocated=lambda which: {torch.device("cuda", 1): 3 * 2**29}[which],
    )
    monkeypatch.setattr(torch, "get_device_module", lambda device: {"cuda": runtime}[device.type])
    with DeviceCost(torch.device("cuda", 1)) as cost:
        done.append("worked")
        time.sleep(0.05)
    assert done == ["waited for cuda:1", "forgot cuda:1", "worked", "waited for cuda:1"]
    assert cost.seconds >= 0.05
    assert cost.gibibytes == 1.5


def test_an_accelerator_that_keeps_no_account_of_its_memory_tells_seconds_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch, "get_device_module", lambda device: SimpleNamespace(synchronize=lambda: None))
    with DeviceCost("mps") as cost:
        time.sleep(0.01)
    assert cost.seconds >= 0.01
    assert cost.gibibytes is None


CPU = torch.device("cpu")


def test_waiting_takes_seconds_of_the_wall_and_none_of_the_processor() -> None:
    pauses = iter([0.05, 0.01, 0.05])
    assert 0.01 <= fewest_seconds(lambda: time.sleep(next(pauses)), CPU, clock="wall") < 0.04
    assert fewest_seconds(lambda: time.sleep(0.1), CPU, rounds=1) < 0.05
    with DeviceCost(CPU, clock="wall") as cost:
        time.sleep(0.02)
    assert cost.seconds >= 0.02


def test_no_further_run_begins_after_enough_seconds() -> None:
    runs: list[int] = []

    def work() -> None:
        runs.append(0)
        begin = time.process_time()
        while time.process_time() - begin < 0.02:
            pass

    assert fewest_seconds(work, CPU, rounds=5, enough=0.03) >= 0.02
    assert len(runs) == 2
