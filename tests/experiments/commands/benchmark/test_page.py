"""The page says what binds a subject; the page of the documentation is that of the figures kept beside it."""

from __future__ import annotations

import json
from pathlib import Path

from experiments.commands.benchmark.limits import Limits
from experiments.commands.benchmark.measured import Measured, Size
from experiments.commands.benchmark.page import page

DOCS = Path(__file__).resolve().parents[4] / "docs"
LIMITS = Limits(operations=1e10, bandwidth=1e9)


def test_the_bound_is_what_takes_longer() -> None:
    busy = Size(32, 31, products=10**10, others=0, moved=10**8, most=2**20, seconds=4.0)
    busier = Size(64, 31, products=4 * 10**10, others=10**9, moved=4 * 10**8, most=2**22, seconds=16.0)
    moving = Size(32, 31, products=10**9, others=0, moved=10**9, most=2**20, seconds=2.0)
    found = [Measured("busy", [busy, busier], [busy]), Measured("moving", [moving]), Measured("none")]
    lines = page({"device": "cpu", "faiss": ""}, LIMITS, found).splitlines()
    assert "| busy | 64 x 64 x 31 | 40 G | 1 G | 0.4 G | 16 | 25% | 2% | products | 25% |" in lines
    assert "| moving | 32 x 32 x 31 | 1 G | 0 G | 1 G | 2 | 5% | 50% | memory | 50% |" in lines
    assert "| busy | 32, 64 | 1.00 | 1.00 | 31 |  |  | 4.0 |" in lines
    assert not any(line.startswith("| none") for line in lines)
    assert any("Machine: device cpu." in line for line in lines)


def test_what_was_refused_is_said() -> None:
    text = page({}, LIMITS, [Measured("busy", refused={"8 x 8 x 4": "SolverError: too few bands"})])
    assert "- busy, 8 x 8 x 4: SolverError: too few bands" in text


def test_the_documented_page_is_that_of_its_figures() -> None:
    content = json.loads((DOCS / "measured" / "roofline_cpu.json").read_text(encoding="utf-8"))
    found = [Measured.read(one) for one in content["subjects"]]
    assert (DOCS / "roofline.md").read_text(encoding="utf-8") == page(
        content["machine"], Limits(**content["limits"]), found
    )
