"""Bicubic resizing by its published formula, one sample after the other."""

from __future__ import annotations


def keys(x: float) -> float:
    """Keys' kernel with a = -1/2, as printed in the paper."""
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def slow_resize(signal: list[float], new_size: int) -> list[float]:
    """Resize one line by the published formula: loops, one sample after the other, mirroring by walking back."""
    size = len(signal)
    scale = new_size / size
    shrink = min(scale, 1.0)
    resized = []
    for i in range(new_size):
        centre = (i + 0.5) / scale - 0.5
        total = norm = 0.0
        for j in range(-3 * size - 8, 4 * size + 8):
            weight = shrink * keys(shrink * (centre - j))
            k = j
            while not 0 <= k < size:
                k = -1 - k if k < 0 else 2 * size - 1 - k
            total += weight * signal[k]
            norm += weight
        resized.append(total / norm)
    return resized
