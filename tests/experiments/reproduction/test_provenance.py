"""Where numbers come from is said, and what a run took is measured for itself."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path

import numpy as np

from experiments.reproduction.provenance import commit, provenance, taken

GIT = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org"]


def test_provenance_names_versions_machine_and_time() -> None:
    found = json.loads(json.dumps(provenance()))
    assert {"python", "torch", "lightning"} <= set(found["versions"])
    assert found["machine"]["cores"] >= 1
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", found["time"])


def test_a_changed_checkout_is_told_from_its_commit(tmp_path: Path) -> None:
    assert commit(tmp_path) == ""
    (tmp_path / "a").write_text("1")
    for words in (["init", "-q"], ["add", "a"], ["commit", "-q", "-m", "m"]):
        subprocess.run([*GIT, *words], cwd=tmp_path, check=True)
    commit.cache_clear()
    clean = commit(tmp_path)
    assert re.fullmatch(r"[0-9a-f]{40}", clean)
    commit.cache_clear()
    (tmp_path / "a").write_text("2")
    assert commit(tmp_path) == f"{clean}+changes"


def test_memory_and_seconds_are_those_of_the_block() -> None:
    with taken() as large:
        block = np.ones(60_000_000)
    del block
    with taken() as small:
        time.sleep(0.05)
    assert large.memory - small.memory > 0.3
    assert small.seconds >= 0.05
    assert small.cpu_seconds < small.seconds
