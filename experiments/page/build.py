"""Puts a page together: one HTML file that holds its data, its script and the plotting library, and loads nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from experiments.page.exports import as_strict_json
from experiments.page.payload import payload
from experiments.reproduction.provenance import commit
from experiments.reproduction.store import ResultsStore
from hyperalign.errors import MissingPackageError
from hyperalign.files import write_text

ASSETS = Path(__file__).parent / "assets"
LIBRARY = "package_data/plotly.min.js"


def write_page(store: ResultsStore, path: Path, scenes: int = 8) -> Path:
    """Write the page of a store.

    Args:
        store: with at least one table.
        path: of the HTML file.
        scenes: at most this many scenes to browse; each takes up to 2 MB.

    Returns:
        The path.

    Raises:
        MissingFileError: where the store holds no table.
        MissingPackageError: where the plotting library is not installed.
    """
    store.check()
    write_text(path, page(payload(store, scenes)))
    return path


def page(data: Mapping[str, Any]) -> str:
    """Return the HTML of a page.

    Args:
        data: what `payload` gives.
    """
    made = {"time": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), "commit": commit()}
    parts = {
        "style": (ASSETS / "page.css").read_text(encoding="utf-8"),
        "library": library(),
        "script": "\n".join(
            (ASSETS / name).read_text(encoding="utf-8") for name in ("tables.js", "scenes.js", "page.js")
        ),
        # Nothing in the data may end the element that holds them.
        "data": as_strict_json({**data, "made": made}).replace("<", "\\u003c"),
    }
    text = (ASSETS / "page.html").read_text(encoding="utf-8")
    for name, content in parts.items():
        before, found, after = text.partition(f"<!-- {name} -->")
        text = before + content + after if found else text
    return text


def library() -> str:
    """Return the plotting library's script, which the Python package of Plotly carries.

    Raises:
        MissingPackageError: where it is not installed.
    """
    found = find_spec("plotly")
    path = Path(found.origin).parent / LIBRARY if found is not None and found.origin else None
    if path is None or not path.is_file():
        raise MissingPackageError("The page is drawn by Plotly, which is not installed: pip install plotly.")
    return path.read_text(encoding="utf-8")
