"""The same cube in every format, as the programs that write them do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io
import tifffile
from numpy.typing import NDArray
from PIL import Image

from datamodules.scenes.readers.exr import exr_library
from tests.datamodules.fake_chikusei import write_envi, write_matlab

CENTRES = [420.0, 450.0, 480.0, 510.5, 660.0]
FORMATS = (
    *("bsq", "bil", "bip", "mat5", "mat73", "npy", "npy_hwc", "npz", "h5", "nc", "png", "exr_half", "exr_float"),
    *("tiff", "tiff_deflate", "tiff_contig", "tiff_separate", "tiff_big_endian"),
)
EXTRA_TAGS: list[tuple[int, int, int, Any, bool]] = [
    (33550, 12, 3, (30.0, 30.0, 0.0), True),
    (33922, 12, 6, (0.0, 0.0, 0.0, 500000.0, 4649776.0, 0.0), True),
    (34735, 3, 4, (1, 1, 0, 0), True),
    (42113, 2, 0, "0", True),
]


def cube_values(bands: int = 5, height: int = 12, width: int = 15) -> NDArray[np.uint16]:
    """`C x H x W`, whole numbers below 2048, which a half float holds too, different everywhere."""
    return np.random.default_rng(7).integers(1, 2048, (bands, height, width)).astype(np.uint16)


def write_cube(folder: Path, kind: str, cube: NDArray[Any], centres: list[float] | None = None) -> Path:
    """Write `C x H x W` in one of `FORMATS` and return the path to open."""
    folder.mkdir(parents=True, exist_ok=True)
    picture = cube.transpose(1, 2, 0)
    if kind in ("bsq", "bil", "bip"):
        return write_envi(folder / f"cube.{kind}", picture, centres, kind)
    if kind.startswith("mat"):
        variables = {"cube": picture} | ({"wavelengths": np.array([centres])} if centres else {})
        if kind == "mat5":
            scipy.io.savemat(folder / "cube.mat", variables)
            return folder / "cube.mat"
        path = write_matlab(folder / "cube.mat", "cube", picture, (2, 4, 5))
        if centres:
            with h5py.File(path, "a") as file:
                file["wavelengths"] = np.array(centres)[:, None]
        return path
    if kind.startswith("np"):
        return _write_numpy(folder, kind, cube, centres)
    if kind.startswith("tiff"):
        return _write_tiff(folder / "cube.tif", kind, cube, centres)
    if kind.startswith("exr"):
        return write_exr(
            folder / "cube.exr", cube, centres or CENTRES, np.float16 if kind == "exr_half" else np.float32
        )
    if kind in ("h5", "nc"):
        return _write_hdf5(folder / f"cube.{kind}", kind, cube, centres)
    path = folder / "stack"
    path.mkdir(exist_ok=True)
    for band, plane in enumerate(cube):
        name = f"scene_{centres[band]:g}nm.png" if centres else f"scene_{band + 1:02d}.png"
        Image.fromarray(plane).save(path / name)
    return path


def write_exr(path: Path, cube: NDArray[Any], centres: list[float], kind: type[np.floating[Any]]) -> Path:
    """Write bands as KAIST names them, with a picture beside them."""
    names = [f"w{centre:g}nm" for centre in centres]
    channels = {name: plane.astype(kind) for name, plane in zip(names, cube, strict=True)}
    picture = {name: cube[0].astype(np.float32) for name in "RGB"}
    library = exr_library()
    header = {"compression": library.ZIP_COMPRESSION, "type": library.scanlineimage}
    library.File(header, channels | picture).write(str(path))
    return path


def _write_numpy(folder: Path, kind: str, cube: NDArray[Any], centres: list[float] | None) -> Path:
    if kind == "npz":
        extra = {"wavelengths": np.array(centres)} if centres else {}
        np.savez(folder / "cube.npz", allow_pickle=False, cube=cube, mask=cube[0], **extra)
        return folder / "cube.npz"
    np.save(folder / "cube.npy", cube.transpose(1, 2, 0) if kind == "npy_hwc" else cube)
    return folder / "cube.npy"


def _write_tiff(path: Path, kind: str, cube: NDArray[Any], centres: list[float] | None) -> Path:
    options: dict[str, Any] = {"photometric": "minisblack", "metadata": None, "extratags": EXTRA_TAGS}
    if kind == "tiff_deflate":
        options["compression"] = "zlib"
    if kind in ("tiff_contig", "tiff_separate"):
        options["planarconfig"] = kind.removeprefix("tiff_")
    if centres:
        options["description"] = json.dumps({"wavelengths": centres})
    values = cube.transpose(1, 2, 0) if kind == "tiff_contig" else cube
    tifffile.imwrite(path, values, byteorder=">" if kind == "tiff_big_endian" else "<", **options)
    return path


def _write_hdf5(path: Path, kind: str, cube: NDArray[Any], centres: list[float] | None) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs["title"] = "a made cube"
        group = file.create_group("data") if kind == "h5" else file
        data = group.create_dataset("cube", data=cube.transpose(1, 2, 0) if kind == "h5" else cube, compression="gzip")
        data.attrs["units"] = "1"
        file["lat"] = np.linspace(40.0, 41.0, cube.shape[1])
        file["lat"].make_scale("lat")
        data.dims[0 if kind == "h5" else 1].attach_scale(file["lat"])
        if centres:
            file["wavelength"] = np.array(centres) / 1000.0
    return path
