"""Keeps the weights of a run and leaves the rest of it behind.

`hyperalign export RUN.ckpt WEIGHTS.ckpt` writes a network's weights and what network they belong to; the optimiser's
state and the paths of the machine that it ran on stay behind. Of a run that finetuned a CLIP encoder,
`hyperalign export RUN.ckpt FOLDER` writes the encoder as pipelines load it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.configuration.command_parser import CommandParser
from experiments.ending import last_lines, restoring
from hyperalign.errors import MissingFileError, UsageError, absent_checkpoint

VERSION_KEY = "pytorch-lightning_version"
"""What Lightning asks of every checkpoint that it loads."""

_GUIDED = ("backbones/sert_compact", "data/own_cubes", "hir_align/adapt", "guides/unclip")
"""Configs of an adaptation that takes an encoder."""


def export_weights(run: Path, target: Path) -> None:
    """Write the state dict and the network's identity of a run's checkpoint, beside the target and renamed into place.

    Raises:
        MissingFileError: where there is no such run.
        CheckpointError: where the run's checkpoint cannot be read safely, or no run wrote it.
    """
    from lightning_modules.checkpoints import IDENTITY_KEY, check_run, read_checkpoint, write_checkpoint

    checkpoint = read_checkpoint(run)
    check_run(checkpoint, str(run))
    kept = {key: value for key, value in checkpoint.items() if key in {"state_dict", VERSION_KEY, IDENTITY_KEY}}
    write_checkpoint(kept, target)


def export(run: Path, target: Path) -> tuple[str, list[str]]:
    """Write what a run trained: a network's weights to a file, a CLIP encoder to a folder.

    Returns:
        What was written, and the words of the command that uses it.

    Raises:
        MissingFileError: where there is no such run.
        CheckpointError: where the run's checkpoint cannot be read safely.
        UsageError: where the target is a folder for weights, or a file for an encoder.
    """
    from lightning_modules.checkpoints import IDENTITY_KEY, read_checkpoint
    from lightning_modules.clip.encoder import encoder_of_run, write_encoder

    identity = read_checkpoint(run).get(IDENTITY_KEY, {})
    if "encoder" in identity:
        if target.is_file():
            raise UsageError(f"{run} holds a CLIP encoder, which is written as a folder, but {target} is a file.")
        write_encoder(encoder_of_run(run), target)
        shown = f"{target} (the CLIP encoder of {run}, for UnCLIPGuides' `image_encoder`)"
        configs = [word for name in _GUIDED for word in ("--config", name)]
        return shown, ["adapt", *configs, "--data.root", "CUBES", "--synthesis.guides.image_encoder", str(target)]
    if target.is_dir():
        raise UsageError(f"{run} holds a network's weights, which are one file, but {target} is a folder.")
    export_weights(run, target)
    module = str((identity.get("module") or {}).get("class_path", ""))
    following = restoring("FusionPair" if "Fusion" in module else "Folder", ["--ckpt_path", str(target)])
    return f"{target} (the weights of {run}, for `--ckpt_path` and `--model.source`)", following


def main(arguments: Sequence[str] | None = None) -> int:
    """Export from the command line.

    Raises:
        MissingFileError: where there is no such run.
    """
    parser = CommandParser("export", __doc__)
    parser.add_argument("run", type=Path, help="checkpoint of a run")
    parser.add_argument("target", type=Path, help="file to write, or the folder of an encoder")
    given = parser.parse_args(arguments)
    if not given.run.exists():  # said before torch is imported, which takes seconds
        raise MissingFileError(absent_checkpoint(given.run))
    shown, following = export(given.run, given.target)
    sys.stdout.write(last_lines({"exported": shown}, following))
    return 0
