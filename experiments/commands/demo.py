"""Adapts a shipped source checkpoint to the shifted domain of the sample scenes, and shows what it brought.

`hyperalign demo` runs `hyperalign adapt` on the packaged experiment `hir_align/demo`: proxies, guides, spectral
transfer, finetuning, then source-only beside adapted on observed and unobserved scenes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.cli import run
from experiments.commands.tables import arguments_of, source_checkpoint
from experiments.configuration.command_parser import CommandParser
from experiments.ending import ending

CONFIGS = ("backbones/sert_compact", "data/sample_scenes", "tasks/gaussian", "hir_align/paper", "hir_align/demo")
SOURCE = source_checkpoint("gaussian", None)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration; further arguments are passed on.

    Returns:
        The exit code, 0.
    """
    parser = CommandParser("demo", __doc__)
    parser.add_argument("--output", type=Path, default=Path("runs/demo"), help="folder for results and pictures")
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise, the guides and the finetuning")
    given, extra = arguments_of(parser, arguments)
    words = [word for name in CONFIGS for word in ("--config", name)]
    words += ["--model.source", SOURCE, "--trainer.default_root_dir", str(given.output)]
    words += ["--seed_everything", str(given.seed), "--data.seed", str(given.seed)]
    words += ["--proxy.store", str(given.output / "store"), "--results.folder", str(given.output)]
    words += ["--pictures.folder", str(given.output / "pictures"), "--verbose", "false", *extra]
    sys.stdout.write(ending(run(["adapt", *words]), ["adapt", *words]))
    return 0
