"""What became of the cubes of a folder that could not be used: named one by one, while the others go on."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from hyperalign.errors import InputError

_NAMED = 3


class IncompleteError(InputError):
    """Some cubes of a folder could not be used; the others were."""


def failure_table(failures: Mapping[str, str], what: str) -> Table:
    """Return a line for each cube that failed, by name.

    Args:
        failures: one sentence for each cube by its name.
        what: what they were to be: "restored".
    """
    table = Table("cube", f"why it could not be {what}", box=None)
    for name, sentence in sorted(failures.items()):
        table.add_row(name, sentence)
    return table


def incomplete(failures: Mapping[str, str], what: str) -> IncompleteError:
    """Return the error that ends a run some of whose cubes failed, with the first of them by name.

    Args:
        failures: one sentence for each cube by its name.
        what: what they were to be: "restored".
    """
    count = len(failures)
    listed = "; ".join(f"{name}: {_without_end(sentence)}" for name, sentence in list(failures.items())[:_NAMED])
    more = f"; and {count - _NAMED} more" if count > _NAMED else ""
    return IncompleteError(f"{count} cube{'s' if count != 1 else ''} could not be {what} ({listed}{more}).")


def _without_end(sentence: str) -> str:
    return " ".join(sentence.split()).rstrip(".")
