"""The parser of the commands that are not Lightning's own: it answers a mistake in one sentence."""

from __future__ import annotations

import argparse
import re
from typing import NoReturn

from experiments.configuration.names import nearest_name
from hyperalign.errors import UsageError

_UNKNOWN = re.compile(r"unrecognized arguments: (\S+)")


class CommandParser(argparse.ArgumentParser):
    """An `argparse` parser that takes no abbreviations and raises its complaint instead of ending the process.

    Args:
        command: the word after `hyperalign`.
        description: what `--help` says about it; its paragraphs stay as they are.
    """

    def __init__(self, command: str, description: str | None) -> None:
        super().__init__(
            prog=f"hyperalign {command}",
            description=description,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        """Refuse the command line.

        Raises:
            UsageError: with one sentence that names the option, or the nearest one.
        """
        unknown = _UNKNOWN.match(message)
        options = [option for action in self._actions for option in action.option_strings if option.startswith("--")]
        if unknown and unknown[1].startswith("-"):
            option = unknown[1].partition("=")[0]
            raise UsageError(
                f"{self.prog} has no option {option!r}: the nearest one is {nearest_name(option, options)!r}."
            )
        sentence = message[:1].upper() + message[1:].rstrip(".")
        raise UsageError(f"{sentence}: `{self.prog} --help` shows what can be given.")
