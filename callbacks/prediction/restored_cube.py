"""One restored cube on its way to its file: tiles in, blended rows out, in the values of the observation."""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from callbacks.prediction.quick_look import QuickLook
from datamodules.pairs.pair_scene import PairScene
from datamodules.sampling.tile_stream import StreamedScene
from datamodules.scenes.facts.missing import Missing
from datamodules.scenes.writers import CubeWriter, writer_for
from hyperalign.errors import FileAccessError, HyperalignError, InputError
from hyperalign.files import beside
from lightning_modules.restorer.tiles import OVERLAP, BlendedTiles

log = logging.getLogger(__name__)

OutputType = Literal["same", "float32", "uint16"]
"""Type of the written values; `same` is that of the observation."""


class RestoredCube:
    """Blends the restored tiles of one scene and writes finished rows, so that no more than a row of tiles is held.

    Args:
        scene: the observation.
        path: file to write; the writer of the observation's format decides on its ending.
        tile: side of the tiles in pixels of the observation.
        dtype: type of the written values.
        restorer: the network's name, for the header.
        pictures: whether a quick-look is collected.
        overlap: share of a tile's side that it has in common with the next one.
    """

    def __init__(
        self,
        scene: StreamedScene,
        path: Path,
        tile: int,
        dtype: OutputType,
        restorer: str,
        pictures: bool,
        overlap: float = OVERLAP,
    ) -> None:
        self.scene = scene
        self.path = path
        self.restorer = restorer
        _, height, width = scene.file.shape
        self._kept = list(scene.match.kept)
        self._blended = BlendedTiles(height, width, tile, overlap)
        self._last = list(self._blended.positions())[-1]
        self._look = QuickLook(height, width, scene.match.wavelengths) if pictures else None
        self._dtype = written_type(scene.file.dtype, dtype)
        self._gain = stored_gain(scene, self._dtype)
        self._clipped = 0
        self._missing = False
        self._writer: CubeWriter | None = None

    def add(self, top: int, left: int, observation: Tensor, restored: Tensor, missing: Tensor | None) -> bool:
        """Take the next tile.

        Args:
            top: first row of the tile in the observation.
            left: first column of the tile in the observation.
            observation: what the network was given, `C x h x w`.
            restored: what it gave, `C x H x W`.
            missing: where the observation had no value, `C x h x w`; None if nowhere.

        Returns:
            Whether it was the last tile.

        Raises:
            ValueError: if the network gave other bands than it was given or another size, or values that are NaN.
            OSError: if the file cannot be written.
        """
        if len(restored) != len(observation):
            raise InputError(
                f"{self.restorer} gave {len(restored)} bands of the {len(observation)} bands of {self.scene.name}: "
                "predict with a network that restores the bands it is given."
            )
        values = restored.detach().to("cpu", torch.float32)[self._kept]
        if not bool(values.isfinite().all()):
            raise InputError(
                f"{self.restorer} gave NaN or infinite values for {self.scene.name} at row {top}, column {left}: check "
                "the checkpoint and data.init_args.normalisation, or use full precision."
            )
        if missing is not None:
            self._missing = True
            scale = values.shape[-2] // missing.shape[-2]
            holes = missing[self._kept].cpu().repeat_interleave(scale, -1).repeat_interleave(scale, -2)
            values[holes] = torch.nan
        if self._look is not None:
            self._look.add_observation(top, left, observation.to("cpu", torch.float32)[self._kept])
        finished = self._blended.add(top, left, values)
        scene, scale = self.scene, self._blended.scale
        if isinstance(scene, PairScene) and scale != scene.ratio:
            raise InputError(
                f"{self.restorer} gave {scale} times the hyperspectral pixels of {scene.name} along each side, but the "
                f"multispectral image has {scene.ratio} times as many: predict with what fuses pairs of that ratio, "
                "such as --config solvers/gsa."
            )
        if finished is not None:
            with self._telling():
                self._write(*finished)
        return (top, left) == self._last

    def close(self) -> Path:
        """Finish the file and put it into place, with its pictures beside it; return its path.

        Raises:
            OSError: if it cannot be written.
        """
        assert self._writer is not None  # noqa: S101 - a scene has at least one tile
        with self._telling():
            self._writer.close()
        path = self._writer.path
        if self._clipped:
            log.warning(
                "%s: %d restored values were beyond the range of %s and were clipped%s.",
                path,
                self._clipped,
                self._dtype if self.scene.file.marks.valid == Missing().valid else "what the observation calls valid",
                "; writer.dtype float32 keeps them" if np.issubdtype(self._dtype, np.integer) else "",
            )
        if self._look is not None:
            self._look.save(beside(path, ".restored.png"), beside(path, ".spectra.png"))
        return path

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Turn what the system says about a file that cannot be written into one sentence."""
        try:
            yield
        except HyperalignError:
            raise
        except OSError as error:
            raise FileAccessError(
                f"The restored cube {self.path} cannot be written ({error.strerror or error}): free some space, or set "
                "--output to another disk."
            ) from error

    def abandon(self) -> None:
        """Remove what was written so far."""
        if self._writer is not None:
            self._writer.discard()

    def _write(self, row: int, rows: Tensor) -> None:
        """Write finished rows in the observation's values."""
        if self._writer is None:
            self._writer = self._opened(self._blended.scale)
        if self._look is not None:
            self._look.add_restored(row, rows, self._blended.scale)
        normalisation = self.scene.normalisation
        rows.mul_(normalisation.scale).add_(normalisation.offset)
        values = rows.numpy()
        holes = np.isnan(values) if self._missing else None
        if holes is None or not holes.any():
            self._writer.write(row, 0, self._stored(values))
            return
        marks = marked(self.scene, row, holes, self._blended.scale, self._dtype)
        values[holes] = np.clip(0.0, *self.scene.file.marks.valid)
        stored = self._stored(values)
        # Marks beyond the range of float32 are those of files of doubles.
        self._writer.write(
            row, 0, np.where(holes, marks, stored).astype(np.result_type(stored, self._dtype), copy=False)
        )

    def _opened(self, scale: int) -> CubeWriter:
        """Open the file, once the size of the restored cube is known."""
        bands, (_, height, width) = len(self._kept), self.scene.file.shape
        shape = (bands, height * scale, width * scale)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        check_space(self.path, math.prod(shape) * self._dtype.itemsize)
        writer = writer_for(self.scene.template, self.path, self._dtype, self.scene.match.wavelengths, shape)
        writer.notes = self.notes
        return writer

    @property
    def notes(self) -> dict[str, str]:
        """What is to be said about the file beside what the observation says about itself."""
        scale = self._blended.scale
        size = f", {scale} x its pixels along each side" if scale > 1 else ""
        notes = {"restored by": f"{self.restorer} from {self.scene.told}{size}"}
        if self.scene.match.held:
            outside = ", ".join(f"{centre:g}" for centre in self.scene.match.held)
            notes["bands not written"] = f"{outside} nm, outside of the observation's range"
        if self.scene.avoided:
            centres = self.scene.file.wavelengths or ()
            avoided = ", ".join(f"{centres[band]:g}" for band in self.scene.avoided)
            notes["bands not drawn on"] = f"{avoided} nm, bad or constant in the observation"
        elif self.scene.all_bad:
            notes["bands not drawn on"] = "none, as all are bad or constant in the observation"
        if self._gain != 1.0:
            notes["reflectance scale factor"] = f"{self._gain * own_factor(self.scene):.9g}"
        return notes

    def _stored(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return rows on the scale of the file, where the writer rounds and clips them; count what is clipped."""
        if self._gain == 1.0:
            # A file that says what is valid (`valid_range`) would lose what lies beyond.
            valid = self.scene.file.marks.valid
            self._clipped += int(np.count_nonzero(rows < valid[0]) + np.count_nonzero(rows > valid[1]))
            np.clip(rows, *valid, out=rows)
        if not np.issubdtype(self._dtype, np.integer):
            return rows
        limits = np.iinfo(self._dtype)
        if self._gain != 1.0:
            rows *= np.float32(self._gain)
        # A value half a step beyond the range is rounded to its end.
        low, high = float(limits.min) - 0.5, float(limits.max) + 0.5
        self._clipped += int(np.count_nonzero(rows < low) + np.count_nonzero(rows > high))
        return rows


def marked(
    scene: StreamedScene, row: int, holes: NDArray[np.bool_], scale: int, dtype: np.dtype[Any]
) -> NDArray[np.float64]:
    """Return what is written where values are missing: what the observation holds there, if it is its own band.

    Args:
        scene: the observation.
        row: first row of the restored cube.
        holes: where values are missing, `C x rows x width`.
        scale: side of an observation's pixel in pixels of the restored cube.
        dtype: type of the written values.

    Returns:
        `C x rows x width`, of use where `holes` are.

    Raises:
        ValueError: one sentence, if the type can hold no mark of missing values.
    """
    mark = scene.file.marks.written(dtype)
    if mark is None:
        raise InputError(
            f"The restored {scene.name} holds NaN, which {dtype} cannot hold: set writer.dtype to float32."
            if not scene.file.marks.declared
            else f"The restored {scene.name} lacks values, for which {dtype} has no mark: set writer.dtype to float32."
        )
    marks = np.full(holes.shape, mark, dtype=np.float64)
    first, last = row // scale, -(-(row + holes.shape[1]) // scale)
    window = scene.file.window(first, 0, last - first, scene.file.shape[2])
    mask = scene.file.missing(first, 0, window)
    if mask is None or scene.file.dtype != dtype:
        return marks
    for plane, band in zip(marks, scene.match.origins(), strict=True):
        if band is not None:
            own = np.where(mask[band] & ~np.isinf(window[band]), window[band].astype(np.float64), mark)
            finer = own.repeat(scale, 0).repeat(scale, 1)
            plane[:] = finer[row - first * scale :][: holes.shape[1]]
    return marks


def written_type(own: np.dtype[Any], asked: OutputType) -> np.dtype[Any]:
    """Return the type of the written values; logical observations are written as float32."""
    if asked == "same":
        return own if own != np.bool_ else np.dtype(np.float32)
    return np.dtype(asked)


def stored_gain(scene: StreamedScene, dtype: np.dtype[Any]) -> float:
    """Return what values are multiplied with: 1, but whole numbers of a floating observation have white at 65535."""
    if not np.issubdtype(dtype, np.integer) or np.issubdtype(scene.file.dtype, np.integer):
        return 1.0
    white = scene.normalisation.white
    return np.iinfo(dtype).max / white if white > 0 else 1.0


def own_factor(scene: StreamedScene) -> float:
    """Return what the observation's values are divided by to be reflectances, as an ENVI header says it; else 1."""
    try:
        factor = float(scene.file.metadata.get("reflectance scale factor", "1"))
    except ValueError:
        return 1.0
    return factor if factor > 0 else 1.0


def check_space(path: Path, size: int) -> None:
    """Make sure that a file has room: through a memory map a full disk would end the process without a word.

    Raises:
        OSError: one sentence, if it has not.
    """
    free = shutil.disk_usage(path.parent).free
    if size > free:
        raise FileAccessError(
            f"The restored cube {path} needs {_size(size)} and the disk has {_size(free)} left: free some space, or "
            "set --output to another disk."
        )


def _size(count: int) -> str:
    """Return a number of bytes in GiB, or in MiB where it is less than one."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
