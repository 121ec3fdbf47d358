"""What was estimated of a pair's sensors, drawn: the response over wavelength, and the blur around its block."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from callbacks.reporting.drawing import save_figure
from datamodules.pairs.sensors import SensorEstimate

__all__ = ["save_sensors"]


def save_sensors(path: Path, estimate: SensorEstimate, wavelengths: Sequence[float]) -> None:
    """Draw the response of every channel, and the kernel with the outline of the block that it is for.

    Args:
        path: PNG to write.
        estimate: of one pair.
        wavelengths: centres of the hyperspectral bands in nm.

    Raises:
        OSError: if it cannot be written.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    curves, kernel = figure.subplots(1, 2, width_ratios=(2, 1))
    for number, row in enumerate(estimate.response):
        curves.plot(wavelengths, row.numpy(), marker=".", label=f"channel {number}")
    curves.set_xlabel("wavelength (nm)")
    curves.set_title("spectral response", fontsize=9)
    curves.legend(fontsize=7)
    blur = estimate.blur
    top, left = (first - 0.5 for first in blur.first)
    size = len(blur.kernel)
    kernel.imshow(blur.kernel.numpy(), cmap="magma", extent=(left, left + size, top + size, top))
    kernel.add_patch(Rectangle((-0.5, -0.5), blur.ratio, blur.ratio, fill=False, edgecolor="white"))
    kernel.set_title(f"blur, shift {estimate.shift[0]:+.2f}, {estimate.shift[1]:+.2f} pixels", fontsize=9)
    save_figure(path, figure)
