"""Errors of the system told from damage of the file."""

import errno
import os
import re
from pathlib import Path

from hyperalign.errors import FileAccessError

_SYSTEM = {
    errno.EMFILE: "raise the limit (`ulimit -n`)",
    errno.ENFILE: "close other programs",
    errno.EACCES: "allow reading it",
    errno.EPERM: "allow reading it",
    errno.EIO: "check the disk",
    errno.ESTALE: "mount its disk again",
    errno.ENOMEM: "free memory",
    errno.ENOTCONN: "mount its disk again",
}
"""Causes that say nothing about the content of a file, and what to do about each."""

_TEXT = re.compile(r"errno = (\d+)")


def raise_true_cause(path: Path, error: BaseException) -> None:
    """Raise the system's own error as one sentence, if an error came from it; return if the file may be damaged.

    Args:
        path: the file.
        error: what a library answered; its causes are looked at as well.

    Raises:
        OSError: one sentence with the cause, which is too many open files, a missing permission and the like.
    """
    seen: BaseException | None = error
    while seen is not None:
        number = seen.errno if isinstance(seen, OSError) else None
        # HDF5 has the system's number only in its text.
        if number not in _SYSTEM and (match := _TEXT.search(str(seen))):
            number = int(match[1])
        if isinstance(seen, MemoryError):
            number = errno.ENOMEM
        if number in _SYSTEM:
            raise FileAccessError(
                f"The file {path} cannot be read ({os.strerror(number)}): {_SYSTEM[number]} and try again."
            ) from error
        seen = seen.__cause__ or seen.__context__
