"""What a run tells a person while it works: the messages of this project's packages, on stderr."""

from __future__ import annotations

import logging
import os
import sys

from tqdm import tqdm  # type: ignore[import-untyped]

from experiments.process.launchers import RANK_VARIABLES
from hyperalign.command.search_path import PACKAGES


class _ErrorStream(logging.Handler):
    """Writes to whatever `sys.stderr` is at the time, with the level in front of warnings."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one message in a line of its own."""
        text = self.format(record)
        start = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        # above a progress bar that is being drawn, and not into it
        tqdm.write(f"{start}{text}", file=sys.stderr)


class _OtherPackages(_ErrorStream):
    """Shows warnings of other packages, as Python does where no handler is set.

    Where the root logger has no handler, the first `logging.warning` of another package sets one there, by which every
    message of this project would be told a second time.
    """

    def __init__(self) -> None:
        """Start at warnings."""
        super().__init__(logging.WARNING)

    def filter(self, record: logging.LogRecord) -> bool:
        """Leave out what a logger below the root, such as this project's, shows already."""
        logger: logging.Logger | None = logging.getLogger(record.name)
        while logger is not None and logger.parent is not None:
            if logger.handlers:
                return False
            logger = logger.parent
        return bool(super().filter(record))


def show_messages() -> None:
    """Let this project's packages tell what they do, once for all processes of a run; again, it changes nothing."""
    if any(os.environ.get(name, "0") != "0" for name in RANK_VARIABLES):
        return
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(_OtherPackages())
    for package in PACKAGES:
        logger = logging.getLogger(package)
        if not any(isinstance(handler, _ErrorStream) for handler in logger.handlers):
            logger.addHandler(_ErrorStream())
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.INFO)
