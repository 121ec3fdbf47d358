"""What a page holds of a store: tables, runs, and the scenes, pictures and places that the runs left."""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.page.exports import as_csv, as_json, as_latex
from experiments.reproduction.store import Record, ResultsStore, ShownTable
from experiments.reproduction.summary import DIGITS, HEADINGS, summarised

CUBES = ("observation", "source", "restored", "target")
"""Cubes of a scene, in the order in which they are offered."""


def payload(store: ResultsStore, scenes: int) -> dict[str, Any]:
    """Return everything that a page shows, JSON-able.

    Args:
        store: with at least one table.
        scenes: at most this many scenes to browse.
    """
    tables = store.tables()
    names = _labels(tables)
    done = [one for one in store.records() if one.status == "done" and one.digest in names]
    done.sort(key=lambda one: list(names).index(one.digest))
    return {
        "headings": HEADINGS,
        "digits": DIGITS,
        "tables": [_table(table, store) for table in tables],
        "runs": {one.digest: _run(one, names[one.digest]) for one in done},
        "scenes": list(_scenes(done, names, store, scenes)),
        "stages": [found for one in done if (found := _stages(one, names, store))],
        "planes": [found for one in done if (found := _plane(one, names, store))],
        "noise": [found for one in done if (found := _noise(one, names, store))],
    }


def _labels(tables: list[ShownTable]) -> dict[str, str]:
    """Return what every run is called, by its digest: the first cell that shows it."""
    found: dict[str, str] = {}
    for table in tables:
        for cell in table.cells:
            for seed, digest in cell.runs.items():
                found.setdefault(digest, f"{table.name}: {cell.row} / {cell.column}, seed {seed}")
    return found


def _table(table: ShownTable, store: ResultsStore) -> dict[str, Any]:
    cells = []
    for cell in table.cells:
        summary = summarised(cell, table.metrics, store)
        values = {
            metric: {"mean": one.mean, "spread": one.spread, "seeds": one.seeds, "printed": one.printed}
            for metric, one in summary.values.items()
        }
        about = {"row": cell.row, "column": cell.column, "set": cell.test_set, "runs": dict(cell.runs)}
        cells.append({**about, "status": summary.status, "reason": summary.reason, "values": values})
    exports = {"csv": as_csv(table, store), "tex": as_latex(table, store), "json": as_json(table, store)}
    about = {"name": table.name, "budget": table.budget, "title": table.title, "protocol": table.protocol}
    about |= {"kind": table.kind, "note": table.note}
    lists = {"metrics": list(table.metrics), "rows": list(table.rows), "columns": list(table.columns)}
    return {**about, **lists, "cells": cells, "exports": exports}


def _run(record: Record, label: str) -> dict[str, Any]:
    return {
        "label": label,
        "words": list(record.words),
        "command": record.command,
        "seed": record.seed,
        "protocol": record.protocol,
        "seconds": record.seconds,
        "memory": record.memory,
        "facts": dict(record.facts),
        "provenance": dict(record.provenance),
        "source": record.source,
        "scenes": [dict(one) for one in record.scenes],
    }


def _scenes(
    records: list[Record], names: Mapping[str, str], store: ResultsStore, limit: int
) -> Iterator[dict[str, Any]]:
    """Yield scenes of the runs: the first of every run before the second of any, adapted ones before others."""
    found = [
        (place, record.command != "adapt" or record.source is None, order, path, record)
        for order, record in enumerate(records)
        for place, path in enumerate(_files(store.folder(record.digest) / "scenes"))
    ]
    for *_, path, record in sorted(found, key=lambda one: one[:3])[:limit]:
        with np.load(path) as kept:
            cubes = {name: kept[name] for name in CUBES if name in kept}
            shape = cubes["restored"].shape
            yield {
                "run": record.digest,
                "label": f"{path.stem} ({path.parent.name}) · {names[record.digest]}",
                "wavelengths": [round(float(one), 3) for one in kept["wavelengths"]],
                "shape": list(shape),
                "cubes": {name: packed(cube) for name, cube in cubes.items() if cube.shape == shape},
            }


def _files(folder: Path) -> list[Path]:
    """Return first scenes of the test sets before their second ones, those never observed before observed ones."""
    sets = sorted((path for path in folder.glob("*") if path.is_dir()), key=lambda path: path.name, reverse=True)
    lists = [sorted(one.glob("*.npz")) for one in sets]
    longest = max((len(one) for one in lists), default=0)
    return [one[place] for place in range(longest) for one in lists if place < len(one)]


def packed(cube: NDArray[np.uint16]) -> str:
    """Return 16-bit values, little-endian, compressed by zlib, in base64: what the page unpacks."""
    return base64.b64encode(zlib.compress(np.ascontiguousarray(cube, dtype="<u2").tobytes(), 9)).decode()


def _stages(record: Record, names: Mapping[str, str], store: ResultsStore) -> dict[str, Any] | None:
    path = store.folder(record.digest) / "stages.npz"
    if not path.is_file():
        return None
    with np.load(path) as kept:
        pictures = {name: _png(kept[name]) for name in kept}
    return {"run": record.digest, "label": names[record.digest], "pictures": pictures}


def _png(picture: NDArray[np.uint8]) -> str:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, "png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _plane(record: Record, names: Mapping[str, str], store: ResultsStore) -> dict[str, Any] | None:
    path = store.folder(record.digest) / "plane.json"
    if not path.is_file():
        return None
    spaces = json.loads(path.read_text(encoding="utf-8"))
    return {"run": record.digest, "label": names[record.digest], "spaces": spaces}


def _noise(record: Record, names: Mapping[str, str], store: ResultsStore) -> dict[str, Any] | None:
    path = store.folder(record.digest) / "noise.json"
    if not path.is_file():
        return None
    return {
        "run": record.digest,
        "label": names[record.digest],
        "scenes": json.loads(path.read_text(encoding="utf-8")),
    }
