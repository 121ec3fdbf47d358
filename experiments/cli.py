"""The `lightning` command (also `hyperalign` and `python -m experiments`): what a user types and reads.

Lightning itself is imported only once there is something to run, so that the help appears at once.
"""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from experiments.configuration.files import packaged_configs, resolve_configs
from hyperalign.errors import HyperalignError, sentence

if TYPE_CHECKING:
    from experiments.configuration.lightning_cli import HyperalignCLI

_OVERVIEW = """\
usage: lightning {fit,validate,test,predict,prepare,caption} [--config NAME ...] [--KEY VALUE ...]

Trains, adapts and tests hyperspectral restoration and fusion networks.

  fit        train, or adapt to a target domain when the config asks for the two stages before training
  validate   score the validation scenes
  test       score the test scenes
  predict    restore cubes that have no ground truth: --data Folder --data.root IN --output OUT --ckpt_path X
  prepare    check a download and convert it once into the cache that training reads from
  caption    write a caption for every scene of a data set, for a person to review

  lightning fit --config A --config B --trainer.max_epochs 3    B overrides A, the command line overrides both
  lightning fit --config A --print_config                       the whole configuration, itself a config
  lightning fit --help                                          every key
  lightning fit --model.help NAME                               every key of one class

HYPERALIGN_TRACEBACK=1 shows the traceback behind a one-sentence error.
"""


def overview() -> str:
    """The text of `lightning --help`: the commands, and the packaged experiments by folder."""
    folders: dict[str, list[str]] = {}
    for name in packaged_configs():
        folder, _, last = name.rpartition("/")
        folders.setdefault(folder, []).append(last)
    rows = [f"{folder}/  {' '.join(names)}" if folder else " ".join(names) for folder, names in sorted(folders.items())]
    lines = [textwrap.fill(row, 100, initial_indent="  ", subsequent_indent="      ") for row in rows]
    listing = (
        "\npackaged configs (--config FOLDER/NAME; a file of your own works the same):\n" + "\n".join(lines) + "\n"
    )
    return _OVERVIEW + (listing if lines else "")


def run(arguments: Sequence[str]) -> HyperalignCLI:
    """Runs one command inside this process.

    Args:
        arguments: What would stand after `lightning` on the command line.

    Returns:
        The finished command, with its `trainer`, `model` and `datamodule`.

    Raises:
        ConfigNotFoundError: Where a `--config` names no file.
        ConfigError: Where a key, a class or a value is wrong.
    """
    resolved = resolve_configs(arguments)
    from experiments.configuration.lightning_cli import HyperalignCLI

    return HyperalignCLI.from_arguments(resolved)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and reports an error of ours in one sentence on stderr.

    Args:
        arguments: What stands after the program's name; the process's own arguments by default.

    Returns:
        The exit code: 0, 2 for a mistake in the configuration, 1 for an error of ours while running.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in {"-h", "--help"}:
        sys.stdout.write(overview())
        return 0
    if given[0] == "--version":
        from importlib.metadata import version

        sys.stdout.write(f"hyperalign {version('hyperalign')}\n")
        return 0
    try:
        if given[0] == "caption":
            from experiments.commands.caption import main as caption

            caption(given[1:])
        elif given[0] == "prepare":
            from experiments.commands.prepare import main as prepare

            return prepare(given[1:])
        else:
            run(given)
    except HyperalignError as error:
        if os.environ.get("HYPERALIGN_TRACEBACK") == "1":
            raise
        sys.stderr.write(f"error: {sentence(error)}\n")
        return error.exit_code
    return 0
