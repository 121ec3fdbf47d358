"""Drawing for people: pseudo-RGB panels, error maps and spectra, written as PNG files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from datamodules.scenes.wavelengths import to_rgb
from hyperalign.files import replacing_path
from hyperalign.rgb import Picture, displayed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS = ((0.25, 0.25), (0.5, 0.5), (0.75, 0.7))
"""Where spectra are read, as shares of height and width."""


def pseudo_rgb(cube: Tensor, wavelengths: Sequence[float]) -> Picture:
    """Return the picture of a cube `C x H x W` from its bands nearest 660, 550 and 470 nm (HIR-ALIGN Eq. 4)."""
    return displayed(to_rgb(cube, wavelengths))


def error_map(restored: Tensor, target: Tensor) -> Picture:
    """Return the mean absolute error over the bands of two cubes `C x H x W`, as `H x W`."""
    return np.asarray((restored - target).abs().float().mean(0).detach().cpu().numpy(), dtype=np.float32)


def save_panels(
    path: Path,
    panels: Mapping[str, Picture],
    columns: int = 4,
    limit: float | None = None,
    lowest: float = 0.0,
    meaning: str = "mean absolute error",
) -> None:
    """Draw titled pictures in a grid; `H x W` panels are maps with one common colour scale.

    Args:
        path: PNG to write.
        panels: title -> `H x W x 3` in [0, 1] or `H x W`.
        columns: pictures in a row.
        limit: top of the maps' scale; the 99th percentile of all maps when None.
        lowest: its bottom.
        meaning: what the maps show.
    """
    from matplotlib.figure import Figure

    maps = [panel for panel in panels.values() if panel.ndim == 2]
    top = limit or (float(np.percentile(np.concatenate([m.ravel() for m in maps]), 99)) if maps else 1.0)
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(2.6 * columns, 2.8 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    shown = None
    for axis, (title, panel) in zip(axes, panels.items(), strict=False):
        if panel.ndim == 2:
            shown = axis.imshow(panel, cmap="magma", vmin=lowest, vmax=max(top, lowest + 1e-6))
        else:
            axis.imshow(panel, interpolation="nearest")
        axis.set_title(title, fontsize=8)
    if shown is not None:
        figure.colorbar(shown, ax=axes.tolist(), shrink=0.6, label=meaning)
    save_figure(path, figure)


def save_spectra(path: Path, cubes: Mapping[str, Tensor], wavelengths: Sequence[float]) -> None:
    """Draw the spectra of several cubes `C x H x W` of one scene at three points.

    Args:
        path: PNG to write.
        cubes: label -> cube; all of one size.
        wavelengths: band centres in nm.
    """
    points: dict[str, dict[str, Tensor]] = {}
    for down, across in POINTS:
        for label, cube in cubes.items():
            row, column = int(down * (cube.shape[1] - 1)), int(across * (cube.shape[2] - 1))
            points.setdefault(f"row {row}, column {column}", {})[label] = cube[:, row, column]
    save_point_spectra(path, points, wavelengths)


def save_point_spectra(path: Path, points: Mapping[str, Mapping[str, Tensor]], wavelengths: Sequence[float]) -> None:
    """Draw spectra beside each other, one picture a point.

    Args:
        path: PNG to write.
        points: what each point is called -> label -> its spectrum, C values.
        wavelengths: the C band centres in nm, in any order.
    """
    from matplotlib.figure import Figure

    ascending = sorted(range(len(wavelengths)), key=lambda band: wavelengths[band])
    figure = Figure(figsize=(11, 3.2), layout="constrained")
    for axis, (title, spectra) in zip(figure.subplots(1, len(points), squeeze=False)[0], points.items(), strict=True):
        for label, spectrum in spectra.items():
            values = spectrum.detach().cpu().float().numpy()[ascending]
            axis.plot([wavelengths[band] for band in ascending], values, label=label, linewidth=1.2)
        axis.set_title(title, fontsize=8)
        axis.set_xlabel("wavelength (nm)", fontsize=8)
    axis.legend(fontsize=7)
    save_figure(path, figure)


def save_figure(path: Path, figure: Figure) -> None:
    """Write a figure beside its path and rename it into place."""
    with replacing_path(path) as beside:
        figure.savefig(beside, dpi=110)


def enlarged(observation: Tensor, height: int) -> Tensor:
    """Repeat the pixels of a low-resolution cube `C x h x w` until it has the target's height."""
    factor = height // observation.shape[-2]
    if factor <= 1:
        return observation
    return torch.repeat_interleave(torch.repeat_interleave(observation, factor, dim=-2), factor, dim=-1)
