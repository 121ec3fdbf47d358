"""Adapts the shipped denoiser to a folder of noisy cubes and restores one: `adapt_and_restore.py CUBES OUT [...]`."""

import sys
from pathlib import Path

import numpy as np

import hyperalign
from experiments.cli import run

cubes, out, *options = sys.argv[1:]
run(["adapt", "--data.root", cubes, "--trainer.default_root_dir", out, *options])
checkpoint = next(Path(out).rglob("last.ckpt"))
first = min(Path(cubes).glob("*.npy"))
restored = hyperalign.restore(np.load(first), checkpoint)
np.save(Path(out) / f"{first.stem}_restored.npy", restored)
