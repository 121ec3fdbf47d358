"""Adapts the shipped denoiser to noisy arrays and restores the first: `adapt_arrays.py OUT STEPS CUBE.npy ...`."""

import sys

import numpy as np

import hyperalign

out, steps, *paths = sys.argv[1:]
cubes = [np.load(path) for path in paths]
adapted = hyperalign.adapt(cubes, wavelengths="400:700:31", steps=int(steps), folder=out)
np.save(f"{out}/restored.npy", hyperalign.restore(cubes[0], adapted))
