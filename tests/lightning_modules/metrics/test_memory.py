"""The peak of resident memory of a piece of work."""

from __future__ import annotations

import resource
from pathlib import Path
from types import SimpleNamespace

import pytest

from lightning_modules.metrics import memory
from lightning_modules.metrics.memory import PeakMemory, give_back_freed

pytestmark = pytest.mark.skipif(not memory.RESET.exists(), reason="only Linux forgets an older peak")


def held(mebibytes: int) -> bytearray:
    """Memory whose every page was written."""
    return bytearray(b"x" * 4096) * (mebibytes * 256)


def test_what_was_let_go_before_the_block_does_not_count_and_what_was_let_go_inside_does() -> None:
    del_me = held(300)
    del del_me
    with PeakMemory() as peak:
        assert (peak.peak, peak.gibibytes) == (0, None)
        held(100)
    assert peak.gibibytes == pytest.approx(100 / 1024, abs=0.03)


def test_without_such_a_system_nothing_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "RESET", tmp_path / "not" / "there")
    with PeakMemory() as peak:
        held(1)
    assert peak.gibibytes is None
    monkeypatch.setattr(memory, "STATUS", tmp_path / "neither")
    monkeypatch.setattr(resource, "getrusage", lambda whose: SimpleNamespace(ru_maxrss=3 * 2**19))
    with PeakMemory() as peak:
        held(1)
    assert (peak.peak, peak.gibibytes) == (1.5, None)


def test_a_block_keeps_the_peak_that_came_before_a_block_in_it() -> None:
    with PeakMemory() as outer:
        held(200)
        with PeakMemory() as inner:
            held(50)
    assert inner.gibibytes == pytest.approx(50 / 1024, abs=0.03)
    assert outer.gibibytes == pytest.approx(200 / 1024, abs=0.03)
    assert outer.peak > inner.peak


def test_what_was_freed_in_a_heap_that_fell_to_pieces_is_given_back() -> None:
    blocks = [bytearray(b"x") * 100_000 for _ in range(2000)]  # below what the C library maps by itself
    kept, before = blocks[-1:], memory._resident("VmRSS")
    del blocks
    held_on = before - memory._resident("VmRSS")
    give_back_freed()
    given_back = before - memory._resident("VmRSS")
    assert kept
    assert held_on < 0.05 < 0.15 < given_back
