"""A part of the check as small as possible, on the CPU."""

from __future__ import annotations

from pathlib import Path

import torch

from experiments.commands.gpu_check.record import Line, Recorder
from experiments.commands.gpu_check.task import Task


def quick_task(folder: Path, part: str) -> Task:
    """A quick task of that name, which writes below `folder`."""
    return Task(torch.device("cpu"), quick=True, folder=folder / part, note=Recorder(part, folder / f"{part}.json"))


def lines_of(task: Task) -> dict[str, Line]:
    """What was noted so far, by name; fails where something is otherwise than it must be."""
    lines = {line.what: line for line in task.note.record.lines}
    assert not [line for line in lines.values() if line.holds is False]
    return lines
