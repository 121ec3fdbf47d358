"""`make demo`: adapt a shipped source checkpoint to the shifted domain of the sample scenes, and show what it brought.

Runs `lightning fit` and `lightning test` on the packaged experiment `hir_align/demo`: proxies, guides, spectral
transfer, finetuning, then source-only beside adapted on observed and unobserved scenes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from experiments.cli import run

CONFIGS = ("backbones/sert_compact", "data/sample_scenes", "tasks/gaussian", "hir_align/adapt", "hir_align/demo")
SOURCE = Path(__file__).resolve().parent.parent / "hir_align" / "checkpoints" / "gaussian.ckpt"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration; further arguments are passed on to both commands.

    Returns:
        The exit code, 0.
    """
    parser = argparse.ArgumentParser(prog="hyperalign demo", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("runs/demo"), help="folder for results and pictures")
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise, the guides and the finetuning")
    given, extra = parser.parse_known_args(arguments)
    shared = [word for name in CONFIGS for word in ("--config", name)]
    shared += ["--model.init_args.source", str(SOURCE), "--trainer.default_root_dir", str(given.output)]
    shared += ["--seed_everything", str(given.seed), "--data.init_args.seed", str(given.seed)]
    shared += ["--proxy.init_args.store", str(given.output / "store")]
    shared += ["--results.init_args.folder", str(given.output)]
    shared += ["--pictures.init_args.folder", str(given.output / "pictures"), *extra]
    fitted = run(["fit", *shared])
    checkpoint = str(fitted.trainer.checkpoint_callback.last_model_path)  # type: ignore[union-attr]
    run(["test", *shared, "--ckpt_path", checkpoint, "--verbose", "false"])
    Console().print(f"Table: {given.output / 'results.md'}. Pictures: {given.output / 'pictures'}.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
