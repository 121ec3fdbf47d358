"""`hyperalign encoder_export RUN.ckpt FOLDER`: the CLIP vision encoder of a run, as pipelines load it.

A fit of `BlurRobustCLIP` writes the encoder at its end; this is for a checkpoint from before, such as the best one.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from lightning_modules.clip.encoder import encoder_of_run, write_encoder


def main(arguments: Sequence[str] | None = None) -> int:
    """Export from the command line."""
    parser = argparse.ArgumentParser(prog="hyperalign encoder_export", description=__doc__)
    parser.add_argument("run", type=Path, help="checkpoint of a run")
    parser.add_argument("folder", type=Path, help="folder to write, such as blur_robust/image_encoder")
    given = parser.parse_args(arguments)
    write_encoder(encoder_of_run(given.run), given.folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
