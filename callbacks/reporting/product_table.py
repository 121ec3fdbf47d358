"""Scores of fused images that nobody has the truth of: their own table, beside that of compared scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.table import Table

from hyperalign.files import write_text
from hyperalign.ranks import all_gathered

__all__ = ["ProductRow", "gathered_products", "product_row", "write_products"]

_SCORES = ("d_lambda", "d_s", "qnr")
_NOTE = (
    "Without truth: D_lambda compares the product, seen as the hyperspectral sensor would, with the observation; D_S "
    "its bands with combinations of the multispectral channels on both grids; QNR = (1 - D_lambda) (1 - D_S), best 1."
)


@dataclass(frozen=True, order=True)
class ProductRow:
    """Scores of one model's product of one pair; see `lightning_modules.metrics.no_reference.NoReference`."""

    test_set: str
    scene: str
    model: str
    d_lambda: float
    d_s: float
    qnr: float


def product_row(test_set: str, scene: str, model: str, scores: Mapping[str, float]) -> ProductRow:
    """Build one row from a product's scores."""
    return ProductRow(test_set, scene, model, *(float(scores[name]) for name in _SCORES))


def gathered_products(rows: Sequence[ProductRow]) -> list[ProductRow]:
    """Return the rows of all ranks, each pair once, sorted."""
    unique = {(one.test_set, one.scene, one.model): one for part in all_gathered(list(rows)) for one in part}
    return sorted(unique.values())


def write_products(folder: Path, rows: Sequence[ProductRow]) -> None:
    """Write `products.csv` and `products.md`, and print the means; nothing where there are no rows.

    Raises:
        OSError: if a file cannot be written.
    """
    if not rows:
        return
    header = ("test_set", "scene", "model", *_SCORES)
    lines = [",".join(map(str, astuple(one))) for one in rows]
    write_text(folder / "products.csv", "\n".join([",".join(header), *lines]) + "\n")
    written = [_NOTE, "", "| set | scene | model | D_lambda | D_S | QNR |", "| --- | --- | --- | ---: | ---: | ---: |"]
    table = Table("set", "model", "D_lambda", "D_S", "QNR", title="Mean over products without truth", caption=_NOTE)
    for test_set, model in sorted({(one.test_set, one.model) for one in rows}):
        group = [one for one in rows if (one.test_set, one.model) == (test_set, model)]
        means = [f"{fmean(getattr(one, name) for one in group):.4f}" for name in _SCORES]
        written.append(f"| {test_set} | **mean** | {model} | {' | '.join(means)} |")
        table.add_row(test_set, model, *means)
    for one in rows:
        cells = " | ".join(f"{getattr(one, name):.4f}" for name in _SCORES)
        written.append(f"| {one.test_set} | {one.scene} | {one.model} | {cells} |")
    write_text(folder / "products.md", "\n".join(written) + "\n")
    Console().print(table)
