"""Pictures and tables of the guide diagnostics: sets of points in a plane, scenes beside each other, numbers as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from callbacks.reporting.diagnostics.frechet import SetDistances
from callbacks.reporting.drawing import POINTS, pseudo_rgb, save_panels, save_point_spectra
from datamodules.scenes.scene import MappedScene
from hyperalign.files import file_stem, write_text
from hyperalign.rgb import Picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {
    "degraded": "#999999",
    "proxy": "#e69f00",
    "synthesised": "#009e73",
    "generated": "#cc79a7",
    "clean": "#0072b2",
}
"""Of each set of points, told apart by colour-blind readers too."""


def scatter(title: str, axis: str, sets: Mapping[str, Tensor]) -> Figure:
    """Draw sets of points, as in HIR-ALIGN's Figure 4.

    Args:
        title: what the points are.
        axis: what the axes are called; they are numbered.
        sets: label -> `N x 2`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 5), layout="constrained")
    plane = figure.subplots()
    for label, points in sets.items():
        places = points.detach().cpu().numpy()
        plane.scatter(places[:, 0], places[:, 1], s=9, alpha=0.7, linewidths=0, label=label, color=COLOURS.get(label))
    plane.set_title(title, fontsize=9)
    plane.set_xlabel(f"{axis} 1", fontsize=8)
    plane.set_ylabel(f"{axis} 2", fontsize=8)
    plane.tick_params(labelsize=7)
    plane.legend(fontsize=8, markerscale=2)
    return figure


def write_coordinates(path: Path, sets: Mapping[str, Tensor], scenes: Mapping[str, Sequence[str]]) -> None:
    """Write the points behind a picture: set, scene, x, y.

    Args:
        path: CSV to write.
        sets: label -> `N x 2`.
        scenes: label -> names of the N points' scenes.
    """
    rows = [
        (label, scene, *place)
        for label, points in sets.items()
        for scene, place in zip(scenes[label], points.tolist(), strict=True)
    ]
    write_text(path, _as_csv(["set", "scene", "x", "y"], rows))


def write_distances(path: Path, rows: Sequence[SetDistances]) -> None:
    """Write the table of how far sets lie from the reference as CSV."""
    write_text(path, _as_csv([field.name for field in fields(SetDistances)], [astuple(row) for row in rows]))


def draw_generated(folder: Path, proxy: MappedScene, generated: Sequence[MappedScene]) -> None:
    """Draw a proxy beside the cubes generated for it, and spectra of all at three places.

    The cubes show other scenes, of other sizes, so their places are shares of height and width.
    """
    scenes = {"proxy": proxy.load().cube}
    scenes |= {f"generated {number}": one.load().cube for number, one in enumerate(generated, start=1)}
    panels: dict[str, Picture] = {label: pseudo_rgb(cube, proxy.wavelengths) for label, cube in scenes.items()}
    points = {
        f"{down:.0%} down, {across:.0%} across": {
            label: cube[:, int(down * (cube.shape[1] - 1)), int(across * (cube.shape[2] - 1))]
            for label, cube in scenes.items()
        }
        for down, across in POINTS
    }
    stem = file_stem(proxy.name)
    save_panels(folder / f"{stem}.png", panels, columns=len(panels))
    save_point_spectra(folder / f"{stem}_spectra.png", points, proxy.wavelengths)


def _as_csv(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
