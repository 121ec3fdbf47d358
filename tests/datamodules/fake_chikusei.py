"""A fake Chikusei of a few pixels in both of its editions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

STEM = "HyperspecVNIR_Chikusei_20140729"


def fake_scene(height: int = 45, width: int = 38, bands: int = 128) -> NDArray[np.float64]:
    """Height x width x bands as MATLAB shows them, whole numbers below 9000, different everywhere."""
    return np.random.default_rng(3).integers(1, 9000, (height, width, bands)).astype(np.float64)


def write_matlab(path: Path, key: str, array: NDArray[Any], chunks: tuple[int, int, int] | None = None) -> Path:
    """Save as MATLAB's v7.3 does: HDF5 with reversed axes, compressed chunks and the class as an attribute, behind 512
    bytes of text.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", userblock_size=512) as file:
        filters: dict[str, Any] = {"chunks": chunks, "compression": "gzip", "compression_opts": 3} if chunks else {}
        data = file.create_dataset(key, data=array.transpose(), **filters)
        data.attrs["MATLAB_class"] = np.bytes_("double")
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: PCWIN64, HDF5 schema 1.00 .".ljust(124) + b"\x00\x02IM")
    return path


def write_envi(path: Path, array: NDArray[Any], wavelengths: list[float] | None, interleave: str = "bsq") -> Path:
    """Save height x width x bands as ENVI does, unsigned 16-bit with the high byte first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width, bands = array.shape
    order = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}[interleave]
    path.write_bytes(array.transpose(order).astype(">u2").tobytes())
    lines = [
        "ENVI",
        f"samples = {width}",
        f"lines = {height}",
        f"bands = {bands}",
        "header offset = 0",
        "file type = ENVI Standard",
        "data type = 12",
        f"interleave = {interleave}",
        "byte order = 1",
    ]
    if wavelengths is not None:
        lines.append("wavelength = {\n " + ",\n ".join(f"{centre:.6f}" for centre in wavelengths) + "}")
    path.with_suffix(".hdr").write_text("\n".join(lines) + "\n")
    return path
