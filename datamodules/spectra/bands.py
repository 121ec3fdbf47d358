"""The 31 bands of the sample scenes."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
"""What all spectral computations use."""

WAVELENGTHS: tuple[float, ...] = tuple(float(nm) for nm in range(400, 701, 10))
"""Centres of the bands in nm (the bands of CAVE)."""
