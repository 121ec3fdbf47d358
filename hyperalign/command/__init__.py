"""The entrance of the command `hyperalign`: makes sure that what lies behind it is this project's own.

It stands on the ground floor, because a folder called `experiments` in PYTHONPATH hides everything that could say so
in the package of that name.
"""

from __future__ import annotations

import sys

from hyperalign.command.search_path import check_packages
from hyperalign.errors import UsageError

__all__ = ["main"]


def main() -> int:
    """Run the process's command line.

    Returns:
        The exit code: that of the command, or 2 where a package of this project is hidden.
    """
    try:
        check_packages()
    except UsageError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    from experiments.cli import main as command

    return command()
