"""The errors that a person reads as one sentence: what is wrong, where, and what to do."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = [
    "FileAccessError",
    "HyperalignError",
    "InputError",
    "MissingFileError",
    "MissingPackageError",
    "NonFiniteError",
    "RunError",
    "UsageError",
    "WrongTypeError",
    "absent_checkpoint",
    "sentence",
]


class HyperalignError(Exception):
    """Base of every error this project raises on purpose.

    The command line prints such an error as one sentence without a traceback, wherever it was raised: in the main
    process, in a loader's worker or in another rank. Subclasses also derive from the built-in class that fits
    (`ValueError`, `OSError`, ...), so that code which catches those keeps working.

    Attributes:
        exit_code: status that the command line ends with.
    """

    exit_code: int = 1


class UsageError(HyperalignError, ValueError):
    """A command or a configuration that cannot be used as it is; the command line ends with status 2."""

    exit_code = 2


class InputError(HyperalignError, ValueError):
    """A value that cannot be used: of an argument, or of data that were given."""


class WrongTypeError(HyperalignError, TypeError):
    """An argument or an object of a kind that does not fit here."""


class MissingFileError(HyperalignError, FileNotFoundError):
    """A file, a folder or a data set that is not where it was looked for."""


class FileAccessError(HyperalignError, OSError):
    """A file or a folder that is there and cannot be read or written."""


class MissingPackageError(HyperalignError, ModuleNotFoundError):
    """An optional package that is not installed."""


class NonFiniteError(HyperalignError, FloatingPointError):
    """Numbers that became infinite or undefined while computing."""


class RunError(HyperalignError, RuntimeError):
    """Something that cannot go on as it stands."""


# Whoever sorts errors by `type(error).__name__`, as scripts and log filters do, finds the built-in class that each
# stands for. Tracebacks, pickles and imports go by the qualified name, which stays.
for _own in (
    UsageError,
    InputError,
    WrongTypeError,
    MissingFileError,
    FileAccessError,
    MissingPackageError,
    NonFiniteError,
    RunError,
):
    _own.__name__ = _own.__bases__[1].__name__


def absent_checkpoint(path: object) -> str:
    """Return the sentence about a checkpoint that does not exist, or is a folder."""
    found = "is a folder" if Path(str(path)).is_dir() else "does not exist"
    return f"Checkpoint {path} {found}; give the path of an existing .ckpt, .pt or .pth file."


def sentence(error: BaseException) -> str:
    """Return what a person reads of an error.

    An error of a loader's worker arrives with the worker's traceback in front of its message; only the message is
    returned.
    """
    text = str(error)
    if "Original Traceback" not in text:
        return text
    # The last one: an error that was raised from another of its class has that one's traceback in front of its own.
    found = list(re.finditer(rf"^(?:[\w.]+\.)?{type(error).__qualname__}: ", text, flags=re.MULTILINE))
    return text[found[-1].end() :].strip() if found else text
