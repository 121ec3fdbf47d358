"""The loops of `scan.cpp`, built on the machine they run on."""

from __future__ import annotations

import ctypes
from pathlib import Path

from hyperalign.compilation import compiled_library, compiler

__all__ = ["compiler", "scan_library"]

SOURCE = Path(__file__).with_name("scan.cpp")


def scan_library() -> ctypes.CDLL:
    """Return the loaded library, built first where the cache has none.

    Raises:
        ModuleNotFoundError: there is no compiler, or it refuses; one sentence.
    """
    return compiled_library(SOURCE, "selective_scan", "chunked")
