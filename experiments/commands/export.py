"""`hyperalign export RUN.ckpt WEIGHTS.ckpt`: keep the weights of a run, leave the rest of it behind.

A run's checkpoint also holds the optimiser's state and the paths of the machine it ran on; what is handed to others
needs the network's weights and which network they belong to, nothing else.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from lightning_modules.checkpoints import IDENTITY_KEY, check_run, read_checkpoint, write_checkpoint

KEPT = ("state_dict", "pytorch-lightning_version", IDENTITY_KEY)
"""What is kept of a run's checkpoint; the version is what Lightning asks of every checkpoint it loads."""


def export_weights(run: Path, target: Path) -> None:
    """Write the state dict and the network's identity of a run's checkpoint, beside the target and renamed into place.

    Raises:
        CheckpointError: where the run's checkpoint cannot be read safely, or no run wrote it.
    """
    checkpoint = read_checkpoint(run)
    check_run(checkpoint, str(run))
    kept = {
        "state_dict": checkpoint["state_dict"],
        "pytorch-lightning_version": checkpoint["pytorch-lightning_version"],
    }
    if IDENTITY_KEY in checkpoint:
        kept[IDENTITY_KEY] = checkpoint[IDENTITY_KEY]
    write_checkpoint(kept, target)


def main(arguments: Sequence[str] | None = None) -> int:
    """Export from the command line."""
    parser = argparse.ArgumentParser(prog="hyperalign export", description=__doc__)
    parser.add_argument("run", type=Path, help="checkpoint of a run")
    parser.add_argument("target", type=Path, help="file to write")
    given = parser.parse_args(arguments)
    export_weights(given.run, given.target)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
