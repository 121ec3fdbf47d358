"""The three shapes a scene takes: in memory, degraded, and memory-mapped on disk."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datamodules.scenes.facts.causes import raise_true_cause
from hyperalign.errors import InputError, MissingFileError


def _no_metadata() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True)
class Scene:
    """One clean hyperspectral scene in memory.

    Attributes:
        name: unique within its data set.
        cube: `C x H x W`, float32, [0, 1].
        wavelengths: the C band centres in nm.
        caption: one sentence that says what is seen, or empty.
        metadata: anything else the source file says, as text.
    """

    name: str
    cube: Tensor
    wavelengths: tuple[float, ...]
    caption: str = ""
    metadata: Mapping[str, str] = field(default_factory=_no_metadata)


@dataclass(frozen=True)
class Observation:
    """What the target sensor delivered of one scene: the only thing adaptation may look at.

    Attributes:
        name: name of the scene.
        cube: `C x h x w`, float32, degraded and not clipped.
        wavelengths: the C band centres in nm.
        caption: one sentence that says what is seen, or empty.
        multispectral: what a second sensor saw of the same ground, `c x H x W`; None for tasks with one sensor.
        phase: where a pixel lies in its block of pixels of the scene (see `Degradation.phase`); None where both have
            one size.
    """

    name: str
    cube: Tensor
    wavelengths: tuple[float, ...]
    caption: str = ""
    multispectral: Tensor | None = None
    phase: float | None = None

    @property
    def values(self) -> int:
        """Number of values of the cube."""
        return self.cube.numel()


class ReadObservation(Observation):
    """An observation that is read whenever its cube is asked for, so that any number of them fits into memory.

    Args:
        name: name of the scene.
        read: returns the cube, `C x h x w`, float32.
        shape: of the cube.
        wavelengths: the C band centres in nm.
    """

    def __init__(
        self, name: str, read: Callable[[], Tensor], shape: tuple[int, int, int], wavelengths: tuple[float, ...]
    ) -> None:
        for key, value in {"name": name, "wavelengths": wavelengths, "_read": read, "_shape": shape}.items():
            object.__setattr__(self, key, value)

    @property
    def cube(self) -> Tensor:
        """The cube, read anew."""
        read: Callable[[], Tensor] = self.__dict__["_read"]
        return read()

    @property
    def values(self) -> int:
        """Number of values of the cube, without reading it."""
        return math.prod(self.__dict__["_shape"])


@dataclass(frozen=True)
class MappedScene:
    """A scene on disk, of which windows are read without reading the rest.

    The object holds a path and no array, so it is cheap to send to a worker process; each process keeps the file
    mapped from the first window on, and maps it again when the file has been replaced.

    Attributes:
        name: unique within its data set or store.
        path: `.npy` file, `C x H x W`, float32, [0, 1].
        wavelengths: the C band centres in nm.
        caption: one sentence that says what is seen, or empty.
        observation: a measured observation on the same grid, not clipped; None where it is simulated.
        multispectral: a second sensor's measured image on the same grid; None where there is none or it is simulated.
    """

    name: str
    path: Path
    wavelengths: tuple[float, ...]
    caption: str = ""
    observation: "MappedScene | None" = None
    multispectral: "MappedScene | None" = None

    def measured(self) -> dict[str, "MappedScene"]:
        """Return the measured images by their key in a batch."""
        images = {"observation": self.observation, "multispectral": self.multispectral}
        return {kind: image for kind, image in images.items() if image is not None}

    def load_measured(self) -> dict[str, Tensor]:
        """Read the measured images into memory, by their key in a batch."""
        return {kind: image.load().cube for kind, image in self.measured().items()}

    @property
    def shape(self) -> tuple[int, int, int]:
        """Bands, height and width, from the file's header.

        Raises:
            ValueError: if the file is damaged or is not a float32 cube with one band per wavelength.
            FileNotFoundError: if the file is gone.
        """
        bands, height, width = self._array().shape
        return bands, height, width

    def window(self, row: int, column: int, height: int, width: int) -> Tensor:
        """Read one window.

        Args:
            row: first row.
            column: first column.
            height: number of rows.
            width: number of columns.

        Returns:
            A copy, `C x height x width`, float32.

        Raises:
            ValueError: if the window does not lie inside the scene, or for a damaged file.
            FileNotFoundError: if the file is gone.
        """
        array = self._array()
        if (
            min(row, column) < 0
            or min(height, width) < 1
            or row + height > array.shape[1]
            or column + width > array.shape[2]
        ):
            raise InputError(
                f"The window of {height} x {width} pixels at row {row}, column {column} leaves the scene {self.name!r} "
                f"of {array.shape[1]} x {array.shape[2]} pixels: choose a smaller window."
            )
        return torch.from_numpy(array[:, row : row + height, column : column + width].copy())

    def load(self) -> Scene:
        """Read the whole cube into memory.

        Raises:
            ValueError: if the file is damaged or is not a float32 cube with one band per wavelength.
            FileNotFoundError: if the file is gone.
        """
        return Scene(self.name, torch.from_numpy(self._array().copy()), self.wavelengths, self.caption)

    def _array(self) -> NDArray[np.float32]:
        try:
            status = self.path.stat()
            array = _map_cube(str(self.path), status.st_ino, status.st_mtime_ns, status.st_size)
        except FileNotFoundError as error:
            raise MissingFileError(
                f"The cube file of scene {self.name!r} is missing at {self.path}: run again to make it anew."
            ) from error
        except OSError as error:
            raise_true_cause(self.path, error)
            raise
        except (ValueError, EOFError) as error:
            raise InputError(
                f"The cube file of scene {self.name!r} at {self.path} is damaged or is no .npy file: "
                "delete it and run again to make it anew."
            ) from error
        if array.dtype != np.float32 or array.ndim != 3 or array.shape[0] != len(self.wavelengths):
            raise InputError(
                f"The cube file of scene {self.name!r} at {self.path} holds {array.dtype} values of shape "
                f"{array.shape} where a float32 cube of {len(self.wavelengths)} bands is expected: "
                "delete it and run again."
            )
        return array


# A map keeps its file open, and a process may have as few as 256 open files.
@lru_cache(maxsize=128)
def _map_cube(path: str, _inode: int, _modified: int, _size: int) -> NDArray[np.float32]:
    """Map one file; the file's identity is part of the key, so that a replaced file is never read from an old map."""
    mapped: NDArray[np.float32] = np.load(path, mmap_mode="r", allow_pickle=False)
    # A plain view of the map: slicing the memmap subclass costs several times the copy of a small window.
    return mapped.view(np.ndarray)
