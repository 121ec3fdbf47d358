"""A synthetic scene to add noise to: smooth spectra on smooth and on textured ground, with edges."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def clean_scene(bands: int = 12, side: int = 96, seed: int = 0) -> Tensor:
    """Return a cube `C x H x W` in [0.05, 0.95] of three materials with sharp borders."""
    stream = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:side, 0:side] / side
    cover = np.stack([np.ones((side, side)), (rows + columns > 1.1), np.hypot(rows - 0.4, columns - 0.6) < 0.25])
    shade = 0.7 + 0.3 * np.sin(5 * rows) * np.cos(4 * columns)
    centres = np.linspace(0, 1, bands)
    spectra = np.stack([0.3 + 0.2 * centres, 0.4 * np.exp(-4 * (centres - 0.3) ** 2), 0.3 * centres**2])
    cube = np.tensordot(spectra.T, cover * shade, axes=1) + 0.002 * stream.standard_normal((1, side, side))
    return torch.from_numpy(np.clip(cube, 0.05, 0.95).astype(np.float32))
