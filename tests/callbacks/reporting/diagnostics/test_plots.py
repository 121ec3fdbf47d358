"""Pictures and tables of the diagnostics."""

from __future__ import annotations

import csv
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch

from callbacks.reporting.diagnostics.frechet import SetDistances
from callbacks.reporting.diagnostics.plots import scatter, write_coordinates, write_distances


def test_scatter_names_every_set(tmp_path: Path) -> None:
    sets = {label: torch.rand(4, 2, generator=torch.Generator().manual_seed(1)) for label in ("proxy", "clean")}
    (plane,) = scatter("what they are", "t-SNE", sets).axes
    legend = plane.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["proxy", "clean"]
    assert (plane.get_title(), plane.get_xlabel(), plane.get_ylabel()) == ("what they are", "t-SNE 1", "t-SNE 2")
    np.testing.assert_allclose(np.asarray(plane.collections[1].get_offsets()), sets["clean"].numpy())


def test_coordinates_and_alignment_are_tables(tmp_path: Path) -> None:
    sets = {"proxy": torch.tensor([[0.5, -1.0], [2.0, 3.0]]), "clean": torch.tensor([[4.0, 5.0]])}
    write_coordinates(tmp_path / "a.csv", sets, {"proxy": ["x, y", "z"], "clean": ["w"]})
    with (tmp_path / "a.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["set", "scene", "x", "y"],
            ["proxy", "x, y", "0.5", "-1.0"],
            ["proxy", "z", "2.0", "3.0"],
            ["clean", "w", "4.0", "5.0"],
        ]
    write_distances(tmp_path / "empty.csv", [])
    assert (tmp_path / "empty.csv").read_text().strip().split(",") == [one.name for one in fields(SetDistances)]
