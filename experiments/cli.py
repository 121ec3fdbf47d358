"""The `hyperalign` command (also `lightning` and `python -m experiments`): what a user types and reads.

Lightning itself is imported only once there is something to run, so that the help appears at once.
"""

from __future__ import annotations

import importlib
import os
import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from experiments.configuration.files import packaged_configs, resolve_configs
from experiments.configuration.filled_in.described_model import with_described_model
from experiments.configuration.filled_in.own_cubes import completed
from experiments.configuration.names import nearest_name
from experiments.configuration.unimported.answers import DATA_COMMANDS, answered
from experiments.ending import check_complete, ending
from experiments.process.failures import INTERRUPTED, told
from experiments.process.launchers import check_launcher, keep_stacks_back
from experiments.process.sigterm import ends_on_sigterm
from hyperalign.command.search_path import let_own_code_in
from hyperalign.errors import UsageError

if TYPE_CHECKING:
    from experiments.configuration.lightning_cli import HyperalignCLI

RUNS = {
    "fit": "train, or adapt to a target domain when the config asks for the two stages before training",
    "validate": "score the validation scenes",
    "test": "score the test scenes",
    "predict": "restore cubes that have no ground truth: --data Folder --data.root IN --output OUT --ckpt_path X",
    "adapt": "fit, then test, and predict with --output, as one run under one logger",
}
"""The commands that run a Trainer."""

COMMANDS = {
    "prepare": "check a download and convert it once into the cache that training reads from",
    "caption": "write a caption for every scene of a data set, for a person to review",
    "demo": "adapt a shipped denoiser to a folder of noisy cubes, which it makes of embedded scenes",
    "reproduce": "the papers' tables and figures, run where their results are not yet, into a store",
    "report": "one page of a store: tables beside printed numbers, scenes to browse, what the stages made",
    "sweep": "every combination of a sweep's grid, run without a server, into a store",
    "study": "source-only, each training set and the upper bound of one task, in one table",
    "guide-table": "guides and generators of training scenes beside each other, in one table",
    "solver-table": "training-free methods beside each other and a trained network, in one table",
    "ablations": "CO2IF beside its ablations, in one table",
    "text-table": "CO2IF with its own captions, other ones and noise, in one table",
    "own-cubes-table": "noise measured and gain estimated beside the truth, on noisy files of known scenes",
    "fusion-solvers": "training-free fusion methods beside each other, in one table",
    "fusion-table": "every fusion network of CO2IF's Table 1 at one small budget, in one table",
    "flops": "operations of CO2IF and its ablations",
    "benchmark": "what binds every network, the scan, the transfer and the solvers: the roofline page",
    "gpu-check": "every part of the suite on a GPU: does it run, is it as on a CPU, how long does it take",
    "export": "keep a run's weights, or its CLIP encoder, and leave the rest behind",
}
"""The other commands, each in the module of `experiments.commands` that bears its name."""

_OVERVIEW = """\
usage: hyperalign COMMAND [--config NAME ...] [--KEY VALUE ...]      (`lightning` is the same command)

Trains, adapts and tests hyperspectral restoration and fusion networks.

{commands}

  hyperalign fit --config A --config B --trainer.max_epochs 3    B overrides A, the command line overrides both
  hyperalign fit --config A --print_config                       the whole configuration, itself a config
  hyperalign fit --help                                          every key
  hyperalign fit --model.help NAME                               every key of one class

HYPERALIGN_TRACEBACK=1 shows the traceback behind a one-sentence error.
"""


def overview() -> str:
    """Return the text of `hyperalign --help`: the commands, and the packaged experiments by folder."""
    folders: dict[str, list[str]] = {}
    for name in packaged_configs():
        folder, _, last = name.rpartition("/")
        folders.setdefault(folder, []).append(last)
    rows = [f"{folder}/  {' '.join(names)}" if folder else " ".join(names) for folder, names in sorted(folders.items())]
    lines = [textwrap.fill(row, 100, initial_indent="  ", subsequent_indent="      ") for row in rows]
    listing = (
        "\npackaged configs (--config FOLDER/NAME; a file of your own works the same):\n" + "\n".join(lines) + "\n"
    )
    commands = "\n".join(f"  {name:<14} {purpose}" for name, purpose in (RUNS | COMMANDS).items())
    return _OVERVIEW.format(commands=commands) + (listing if lines else "")


def run(arguments: Sequence[str]) -> HyperalignCLI:
    """Run one command that has a Trainer inside this process.

    Args:
        arguments: what would stand after `hyperalign` on the command line.

    Returns:
        The finished command, with its `trainer`, `model` and `datamodule`.

    Raises:
        ConfigNotFoundError: where a `--config` names no file.
        ConfigError: where a key, a class or a value is wrong.
        CheckpointError: where the model is to come from a checkpoint that cannot be used.
    """
    with with_described_model(resolve_configs(completed(arguments))) as words:
        if answered(words):
            raise SystemExit(0)
        from experiments.configuration.lightning_cli import HyperalignCLI

        return HyperalignCLI.from_arguments(words)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and report what goes wrong in one sentence on stderr.

    Args:
        arguments: what stands after the program's name; the process's own arguments by default.

    Returns:
        The exit code: 0, 2 for a mistake in the command or the configuration, 1 for a failure while running, 130 where
        the keyboard interrupted it.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in {"-h", "--help", "help"}:
        sys.stdout.write(overview())
        return 0
    if given[0] == "--version":
        import hyperalign

        sys.stdout.write(f"hyperalign {hyperalign.__version__}\n")
        return 0
    try:
        check_launcher()
        keep_stacks_back()
        let_own_code_in()
        with ends_on_sigterm():
            return _dispatch(given)
    except KeyboardInterrupt:
        if os.environ.get("HYPERALIGN_TRACEBACK") == "1":
            raise
        sys.stderr.write("error: Interrupted: what was finished is kept.\n")
        return INTERRUPTED
    except Exception as error:
        found = told(error)
        if found is None or os.environ.get("HYPERALIGN_TRACEBACK") == "1":
            raise
        sentence, code = found
        sys.stderr.write(f"error: {sentence}\n")
        return code


def _dispatch(given: Sequence[str]) -> int:
    """Run the command that is named first.

    Raises:
        UsageError: where there is none, or one that does not exist.
    """
    name = given[0]
    if name in COMMANDS:
        if name in DATA_COMMANDS and answered(given):
            return 0
        command = importlib.import_module(f"experiments.commands.{name.replace('-', '_')}")
        return int(command.main(list(given[1:])) or 0)
    if name in RUNS:
        finished = run(given)
        sys.stdout.write(ending(finished, given))
        sys.stdout.flush()
        check_complete(finished)
        return 0
    if name.startswith("-"):
        raise UsageError(f"A command comes first, such as `hyperalign fit {name} ...`: `hyperalign --help` lists them.")
    raise UsageError(f"There is no command {name!r}: the nearest one is {nearest_name(name, RUNS | COMMANDS)!r}.")
