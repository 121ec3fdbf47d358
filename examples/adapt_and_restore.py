"""Adapts the shipped denoiser to a folder of noisy cubes and restores one: `adapt_and_restore.py CUBES OUT [...]`."""

import sys
from pathlib import Path

import numpy as np

import hyperalign
from experiments.cli import run

cubes, out, *options = sys.argv[1:]
paths = sorted(Path(cubes).glob("*.npy")) or sys.exit(f"There is no cube NAME.npy in {cubes}: name their folder.")
run(["adapt", "--data.root", cubes, "--trainer.default_root_dir", out, *options])
checkpoint = next(Path(out).rglob("last.ckpt"))
restored = hyperalign.restore(np.load(paths[0]), checkpoint)
np.save(Path(out) / f"{paths[0].stem}_restored.npy", restored)
