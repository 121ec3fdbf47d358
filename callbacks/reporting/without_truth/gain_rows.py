"""What is estimated of scenes without truth, as rows: their means, and how they are written and printed."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich import box
from rich.table import Table

from callbacks.reporting.without_truth.intervals import Gain, set_gain
from callbacks.reporting.without_truth.residuals import Residuals

COLUMNS = (
    "set",
    "scene",
    "source-only (dB)",
    "adapted (dB)",
    "change (dB)",
    "95 % interval",
    "change of the squared error",
    "true change (dB)",
)
MEAN = "**mean**"

_PRINTED = {
    "source-only (dB)": "source-only",
    "adapted (dB)": "adapted",
    "change (dB)": "change",
    "95 % interval": "95 % interval",
    "true change (dB)": "true",
}
"""Columns of the terminal, which has 80 places, all in dB."""

_SCENES_PRINTED = 12
"""More scenes than these are written and not printed."""

_REMOVED = ("mean", "neighbours", "image")
_REMOVED_NOTE = (
    "What was removed: mean in standard deviations of the noise, correlation of neighbours, correlation with the "
    "restored cube; all are 0 for a perfect restorer."
)


@dataclass(frozen=True)
class GainRow:
    """What is estimated of one scene.

    Attributes:
        test_set: the test set.
        scene: its name.
        gain: the estimated errors of source-only and adapted, and the change from one to the other.
        true: the true change in dB in the same window, where there is a clean cube.
        residuals: of the source weights and of the adapted ones.
    """

    test_set: str
    scene: str
    gain: Gain
    true: float | None
    residuals: tuple[Residuals, Residuals]


def means(rows: Sequence[GainRow]) -> list[GainRow]:
    """Return one row a test set: the mean over scenes, with an interval over scenes."""
    found = []
    for test_set in sorted({one.test_set for one in rows}):
        group = [one for one in rows if one.test_set == test_set]
        known = [one.true for one in group if one.true is not None]
        true = sum(known) / len(known) if len(known) == len(group) else None
        found.append(replace(group[0], scene=MEAN, gain=set_gain([one.gain for one in group]), true=true))
    return found


def cells(row: GainRow) -> list[str]:
    """Return one row as printed, in the order of `COLUMNS`."""
    gain = row.gain
    true = "" if row.true is None else f"{row.true:+.2f}"
    errors = [f"{gain.first:.1f} ± {gain.doubt:.1f}", f"{gain.second:.1f}"]
    interval = f"{gain.low:+.2f} to {gain.high:+.2f}"
    return [row.test_set, row.scene, *errors, f"{gain.change:+.2f}", interval, f"{gain.squared:+.1e}", true]


def as_markdown(rows: Sequence[GainRow]) -> str:
    """Return the table of gains, then the statistics of what was removed."""
    shown = _columns(rows)
    lines = ["Estimated from the noisy observations alone: PSNR of source-only and of adapted, and the change.", ""]
    lines += ["| " + " | ".join(shown) + " |", "| --- | --- |" + " ---: |" * (len(shown) - 2)]
    lines += ["| " + " | ".join(cells(row)[: len(shown)]) + " |" for row in [*means(rows), *rows]]
    lines += ["", _REMOVED_NOTE, ""]
    lines += [f"| set | scene | model | {' | '.join(_REMOVED)} |", "| --- | --- | --- |" + " ---: |" * len(_REMOVED)]
    for row in rows:
        for model, one in zip(("source-only", "adapted"), row.residuals, strict=True):
            lines.append(f"| {row.test_set} | {row.scene} | {model} | {' | '.join(_removed([one]))} |")
    return "\n".join(lines) + "\n"


def as_csv(rows: Sequence[GainRow]) -> str:
    """Return every scene, full precision."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["test_set", "scene", "source", "adapted", "doubt", "change", "low", "high", "squared", "true"])
    for one in rows:
        gain = one.gain
        true = "" if one.true is None else one.true
        errors = [gain.first, gain.second, gain.doubt]
        writer.writerow([one.test_set, one.scene, *errors, gain.change, gain.low, gain.high, gain.squared, true])
    return text.getvalue()


def as_table(rows: Sequence[GainRow]) -> Table:
    """Return the means for the terminal, each test set's scenes before it where they are few."""
    known = [name for name in _columns(rows) if name in _PRINTED]
    table = Table("scene", title="PSNR (dB), estimated without truth", box=box.SIMPLE_HEAD, pad_edge=False)
    table.columns[0].overflow = "fold"
    for name in known:
        table.add_column(_PRINTED[name], no_wrap=True)
    for mean in means(rows):
        scenes = [row for row in rows if row.test_set == mean.test_set]
        shown = scenes if len(scenes) <= _SCENES_PRINTED else []
        shown = [*shown, replace(mean, scene=f"mean of {len(scenes)}")] if len(scenes) > 1 else shown
        table.add_row(f"{mean.test_set}:")
        for row in shown:
            printed = dict(zip(COLUMNS, cells(row), strict=True))
            table.add_row(f"  {row.scene}", *(printed[name] for name in known))
    return table


def removed_table(rows: Sequence[GainRow]) -> Table:
    """Return the statistics of what was removed for the terminal, means over scenes."""
    table = Table("set", "model", *_REMOVED, caption=_REMOVED_NOTE, box=box.SIMPLE_HEAD, pad_edge=False)
    for test_set in sorted({row.test_set for row in rows}):
        for number, model in enumerate(("source-only", "adapted")):
            found = [row.residuals[number] for row in rows if row.test_set == test_set]
            table.add_row(test_set, model, *_removed(found))
    return table


def _columns(rows: Sequence[GainRow]) -> tuple[str, ...]:
    """Return the columns, without the last one where no truth is known."""
    return COLUMNS if any(row.true is not None for row in rows) else COLUMNS[:-1]


def _removed(found: Sequence[Residuals]) -> list[str]:
    parts = [[one.mean for one in found], [one.whiteness for one in found], [one.correlation for one in found]]
    return [f"{sum(part) / len(part):{form}}" for part, form in zip(parts, (".3f", "+.3f", "+.3f"), strict=True)]
