"""What one part of the check found, written after every line so that nothing found is lost."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hyperalign.files import write_text

Figure = float | int | str | bool | None


@dataclass
class Line:
    """One thing that was looked at.

    Attributes:
        what: name of it.
        holds: whether it is as it must be; None where it was only measured.
        figures: what was measured, by name with its unit.
    """

    what: str
    holds: bool | None
    figures: dict[str, Figure]


@dataclass
class Record:
    """What a part found.

    Attributes:
        part: its name.
        state: `running`, `finished`, `failed`, `cut` where its time was over, or `ended` where its process died.
        seconds: since it began.
        lines: what it looked at so far.
        error: sentence of what ended it; empty where nothing did.
        traceback: the last lines of the traceback behind that sentence.
    """

    part: str
    state: str = "running"
    seconds: float = 0.0
    lines: list[Line] = field(default_factory=list)
    error: str = ""
    traceback: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether it came to its end and nothing that was looked at is otherwise than it must be."""
        return self.state == "finished" and all(line.holds is not False for line in self.lines)

    @classmethod
    def read(cls, path: Path) -> Record:
        """Return what `Recorder` wrote."""
        return cls.of(json.loads(path.read_text(encoding="utf-8")))

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Record:
        """Return the record that `asdict` turned into plain values."""
        return cls(**{**content, "lines": [Line(**line) for line in content["lines"]]})


class Recorder:
    """Writes a part's record while the part runs.

    Args:
        part: its name.
        path: the JSON file.
    """

    def __init__(self, part: str, path: Path) -> None:
        self.record = Record(part)
        self._path, self._begin = path, time.perf_counter()
        self.write()

    def line(self, what: str, holds: bool | None = None, /, **figures: Figure) -> None:
        """Note one thing that was looked at.

        Args:
            what: name of it.
            holds: whether it is as it must be; None where it was only measured.
            **figures: what was measured; underscores of the names become blanks.
        """
        named = {name.replace("_", " "): value for name, value in figures.items()}
        self.record.lines.append(Line(what, holds, named))
        self.write()

    def finish(self, state: str, error: str = "", traceback: list[str] | None = None) -> None:
        """Note how the part ended."""
        self.record.state, self.record.error, self.record.traceback = state, error, traceback or []
        self.write()

    def write(self) -> None:
        """Write what there is, beside the file first, so that a reader never finds half of it."""
        self.record.seconds = time.perf_counter() - self._begin
        write_text(self._path, json.dumps(asdict(self.record), indent=1) + "\n")


def sentence(error: BaseException) -> str:
    """Return what an error says in one line, with the name of its class."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:400]}"


def summary(machine: Mapping[str, Any], records: list[Record]) -> str:
    """Return the Markdown table of a check: the machine, one line a part, then one line for each thing looked at."""
    words = ", ".join(f"{name} {value}" for name, value in machine.items() if value)
    lines = [words, "", "| part | state | seconds | looked at | otherwise than it must be |"]
    lines.append("| --- | --- | ---: | ---: | --- |")
    for record in records:
        wrong = "; ".join(line.what for line in record.lines if line.holds is False)
        said = "; ".join(text for text in (wrong, _cell(record.error)) if text)
        lines.append(f"| {record.part} | {record.state} | {record.seconds:.1f} | {len(record.lines)} | {said} |")
    lines += ["", "| part | what | figures | holds |", "| --- | --- | --- | --- |"]
    for record in records:
        for line in record.lines:
            figures = ", ".join(f"{name} {_told(value)}" for name, value in line.figures.items())
            holds = {True: "yes", False: "**no**", None: ""}[line.holds]
            lines.append(f"| {record.part} | {_cell(line.what)} | {_cell(figures)} | {holds} |")
    return "\n".join(lines) + "\n"


def _told(value: Figure) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "/").split())
