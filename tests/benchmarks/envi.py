"""Headers of large ENVI scenes, whose values benchmarks write piece by piece."""

from __future__ import annotations

from collections.abc import Iterable


def envi_header(lines: int, samples: int, bands: int, interleave: str, centres: Iterable[int]) -> str:
    """The header of float32 values whose bands have these centres in nm."""
    entries: dict[str, object] = {
        "samples": samples,
        "lines": lines,
        "bands": bands,
        "header offset": 0,
        "data type": 4,
        "interleave": interleave,
        "byte order": 0,
        "wavelength units": "Nanometers",
        "wavelength": "{" + ", ".join(map(str, centres)) + "}",
    }
    return "ENVI\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
