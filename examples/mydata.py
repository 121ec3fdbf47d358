"""A data set of one's own: which scenes there are, how one is read, and what tells versions of a file apart."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from datamodules import Scene, SceneDataModule


class MyScenes(SceneDataModule):
    """Clean cubes kept as `<root>/<scene>.npy`, `C x H x W` in [0, 1].

    Args:
        root: folder of the cubes.
        first: centre of the first band in nm.
        step: distance of the bands in nm.
        **options: see `SceneDataModule`.
    """

    def __init__(self, root: str, *, first: float = 400.0, step: float = 10.0, **options: Any) -> None:  # noqa: ANN401
        super().__init__(**options)
        self.root, self.first, self.step = Path(root), first, step

    def scene_names(self) -> tuple[str, ...]:
        """Return the names of all scenes."""
        return tuple(sorted(path.stem for path in self.root.glob("*.npy")))

    @property
    def wavelengths(self) -> tuple[float, ...]:
        """Band centres in nm."""
        bands = np.load(self.root / f"{self.scene_names()[0]}.npy", mmap_mode="r").shape[0]
        return tuple(self.first + self.step * band for band in range(bands))

    def read_scene(self, name: str) -> Scene:
        """Read one scene."""
        cube = torch.from_numpy(np.load(self.root / f"{name}.npy").astype(np.float32))
        return Scene(name, cube, self.wavelengths)

    def fingerprint(self, name: str) -> str:
        """Return what changes when the file does, so that the cache is made again."""
        status = (self.root / f"{name}.npy").stat()
        return f"{status.st_size} {status.st_mtime_ns}"
