"""Writes clean cubes `NAME.npy`, C x H x W, as noisy pairs in HSIDwrD's layout: `hsidwrd_layout.py CLEAN OUT`."""

import sys
from pathlib import Path

import numpy as np
import tifffile

from datamodules import HSIDwrD

clean, out = map(Path, sys.argv[1:])
paths = sorted(clean.glob("*.npy")) or sys.exit(f"There is no cube NAME.npy in {clean}: name their folder.")
rng = np.random.default_rng(0)
for number, path in enumerate(paths, start=1):
    cube = np.load(path).astype(np.float64)
    places = np.linspace(0, len(cube) - 1, HSIDwrD.channels)
    below = np.minimum(places.astype(int), len(cube) - 2)
    share = (places - below)[:, None, None]
    cube = (1 - share) * cube[below] + share * cube[below + 1]
    rows, columns = (max(0, want - have) for want, have in zip(HSIDwrD.scene_size, cube.shape[1:], strict=True))
    cube = np.pad(cube, ((0, 0), (0, rows), (0, columns)), "symmetric")
    cube = cube[:, : HSIDwrD.scene_size[0], : HSIDwrD.scene_size[1]]
    # A fiftieth of the light: an electron a count, and two counts of the electronics.
    counts = rng.poisson(4096 * cube / HSIDwrD.exposure_ratio) + rng.normal(0, 2, cube.shape)
    for folder, values in (("gt", 4096 * cube), ("input50", counts)):
        (out / folder).mkdir(parents=True, exist_ok=True)
        pages = np.clip(values.round(), 0, 4095).astype(np.uint16)
        tifffile.imwrite(out / folder / f"{number}.tif", pages, photometric="minisblack")
