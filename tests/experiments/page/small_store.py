"""A store of two runs with everything that a run may leave, made of random numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.reproduction.store import Record, ResultsStore, Shown, ShownTable

WAVELENGTHS = (450.0, 500.0, 550.0, 600.0, 650.0)
SIDE = 12


def cube(seed: int) -> NDArray[np.uint16]:
    values: NDArray[np.uint16] = np.random.default_rng(seed).integers(0, 65536, (5, SIDE, SIDE)).astype(np.uint16)
    return values


def small_store(root: Path) -> ResultsStore:
    """Fill a store: a table with a run row, a row that only differs by seed, and one without its data."""
    store = ResultsStore(root)
    for seed, digest in enumerate(("d0", "d1")):
        scenes = tuple(
            {"test_set": name, "scene": name[0], "psnr": 30.0 + seed, "ssim": 0.9, "sam": 5.0, "ergas": 1.0}
            for name in ("observed", "unobserved")
        )
        facts = {"steps": 4, "degradation": {"kind": "NonIIDGaussian", "sigmas": [10.0, 30.0]}}
        provenance = {"commit": "abc", "versions": {"torch": "2"}, "machine": {"processor": "p"}, "time": "now"}
        store.write(
            Record(
                digest,
                "adapt",
                ("--config", "a"),
                seed,
                "done",
                "",
                scenes,
                "range 1",
                3.0,
                0.5,
                facts,
                provenance,
                "s",
            )
        )
    for name in ("observed", "unobserved"):
        folder = store.folder("d0") / "scenes" / name
        folder.mkdir(parents=True)
        cubes = {one: cube(number) for number, one in enumerate(("observation", "source", "restored", "target"))}
        np.savez(folder / f"{name[0]}.npz", wavelengths=np.array(WAVELENGTHS), **cubes)  # type: ignore[arg-type]
    picture = np.zeros((4, 4, 3), np.uint8)
    np.savez(store.folder("d0") / "stages.npz", **{"0/proxy": picture, "0/guide/0": picture})  # type: ignore[arg-type]
    places = {"degraded": [[0.0, 1.0]], "clean": [[1.0, 0.0]]}
    (store.folder("d0") / "plane.json").write_text(json.dumps({"spectra": places, "patches": places}))
    noise = {"cube": {"family": "gaussian", "sigma": [0.1, None, 0.2, 0.1, 0.1]}}
    (store.folder("d0") / "noise.json").write_text(json.dumps(noise))
    printed = {"psnr": 31.0, "ssim": 0.95, "sam": 4.0}
    cells = (
        Shown("ours & <b>", "CAVE", None, printed, {"0": "d0", "1": "d1"}),
        Shown("2:1", "CAVE", "observed", {}, {"0": "d0"}),
        Shown("far", "CAVE", None, printed, {"0": "d9"}, ["KAIST is not there"]),
    )
    rows = tuple(one.row for one in cells)
    table = ShownTable(
        "p/table1", "small", "Table 1", "how", "ratio", "small", ("psnr", "ssim", "sam"), rows, ("CAVE",), cells
    )
    store.write_table(table)
    return store
