"""HSIDwrD: 59 real pairs, noisy and clean, of 34 bands (Zhang, Fu and Li, ICCV 2021)."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from torch import Tensor

from datamodules.base import SceneDataModule, Subset
from datamodules.sampling.strips import load_float
from datamodules.scenes import Scene
from datamodules.scenes.checks import check_folder
from datamodules.scenes.expected import Expected, listing
from datamodules.scenes.measured import MeasuredKind
from datamodules.scenes.readers import check_shape, open_cube
from datamodules.splits import load_split
from hyperalign.errors import InputError, MissingFileError

_WHERE = "download real_dataset from the links in https://github.com/ColinTaoZhang/HSIDwRD and set `root` to it"


class HSIDwrD(SceneDataModule):
    """The real noisy pairs in their original layout, `<root>/gt/N.tif` and `<root>/input50/N.tif`, N = 1 to 59.

    Each file is a TIFF of 34 pages, 696 x 520 pixels of 12 bits, divided by 4096 here; the noisy one, exposed for a
    fiftieth of the time, is multiplied by 50; both are then clipped to [0, 1], as their authors do.

    **The noise is real**: the observation of a scene is its file, in training (windows of both files of a pair, turned
    alike), validation, test and adaptation, and no degradation is simulated of it. `degradation` is applied to one
    thing only, the proxies and synthesised scenes that the role target trains on, so name what resembles this noise
    there. In the role target the clean files are opened for the test alone; with `input50` alone it is adapted to
    all the same, and tested without ground truth.

    HIR-ALIGN removes the channels 0, 11 and 22, which are damaged, and crops scenes to 512 x 512 pixels, without saying
    where: `crop: 512` takes the centre. The centres of the bands are not published; they are taken for 34 equally
    spaced numbers from 400 to 700 nm.

    Args:
        root: folder of the data set; it may also hold `real_dataset`.
        split: `sert` (44 scenes and 15) or `hsir` (40 and 19), the lists of these codes, or `all`: every scene found,
            none held back.
        removed_channels: numbers, from 0, of the channels to leave out; None takes 0, 11 and 22.
        **options: see `SceneDataModule`.

    Raises:
        ValueError: for an unknown split, or channels that do not exist or are all removed.
    """

    scene_size: ClassVar[tuple[int, int]] = (696, 520)
    """Rows and columns of a file."""
    channels: ClassVar[int] = 34
    """Pages of a file."""
    exposure_ratio: ClassVar[float] = 50.0
    """How much longer the clean scene was exposed."""
    measured_kinds: ClassVar[tuple[MeasuredKind, ...]] = ("observation",)
    """The noisy observation lies beside the scene."""

    def __init__(
        self,
        root: str,
        *,
        split: Literal["sert", "hsir", "all"] = "sert",
        removed_channels: list[int] | None = None,
        **options: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(**options)
        if split != "all":
            load_split("HSIDwrD", split)
        removed = [0, 11, 22] if removed_channels is None else removed_channels
        self.kept = [channel for channel in range(self.channels) if channel not in removed]
        if not self.kept or not set(removed) <= set(range(self.channels)):
            raise InputError(
                f"The channels {removed} cannot be removed of {self.channels}: give numbers from 0 to "
                f"{self.channels - 1}, not all of them."
            )
        self.root = Path(root)
        self.split = split

    @property
    def wavelengths(self) -> tuple[float, ...]:
        """Those of the kept channels among 34 equally spaced ones from 400 to 700 nm."""
        centres = np.linspace(400.0, 700.0, self.channels)
        return tuple(round(float(centres[channel]), 4) for channel in self.kept)

    def scene_names(self) -> tuple[str, ...]:
        """Return the numbers of the scenes with a noisy file, in order."""
        return tuple(sorted((path.stem for path in self._folder("input50").glob("*.tif")), key=_number))

    def canonical_name(self, name: str) -> str:
        """Return the number without `.tif`."""
        return name.removesuffix(".tif")

    def default_names(self, subset: Subset) -> Sequence[str]:
        """Return the scenes of the split."""
        if self.split == "all":
            return super().default_names(subset)
        first, second = load_split("HSIDwrD", self.split)
        return first if subset in ("training", "observed") else second

    def read_scene(self, name: str) -> Scene:
        """Read the clean file of a pair.

        Raises:
            FileNotFoundError: if it is missing.
            ValueError: if it is damaged or has another size.
        """
        return Scene(name, self._read("gt", name, 1.0), self.wavelengths)

    def read_measured(self, name: str, kind: MeasuredKind) -> Scene:
        """Read the noisy file of a pair.

        Raises:
            FileNotFoundError: if it is missing.
            ValueError: if it is damaged or has another size, or for another kind than `observation`.
        """
        if kind != "observation":
            return super().read_measured(name, kind)
        return Scene(name, self._read("input50", name, self.exposure_ratio), self.wavelengths)

    def has_clean(self, name: str) -> bool:
        """Tell whether the clean file of a pair is there."""
        return (self._folder("gt") / f"{self.canonical_name(name)}.tif").is_file()

    def fingerprint(self, name: str) -> str:
        """Return a hash of paths, sizes and times of the pair's files and of the kept channels."""
        digest = hashlib.sha256(f"{self.kept} {self.exposure_ratio}\n".encode())
        for folder in ("gt", "input50"):
            path = self._folder(folder) / f"{name}.tif"
            # The clean file is not needed to adapt: a missing one is named by whoever reads it.
            state = f"{(status := path.stat()).st_size}\n{status.st_mtime_ns}" if path.is_file() else "missing"
            digest.update(f"{path.resolve()}\n{state}\n".encode())
        return digest.hexdigest()

    def source_files(self, name: str) -> Sequence[Path]:
        """Return the files of a pair that are there."""
        return tuple(self._path(folder, name) for folder in ("gt", "input50") if folder != "gt" or self.has_clean(name))

    def expected(self) -> Expected:
        """Return the 59 pairs and their shape."""
        names = tuple(str(number) for number in range(1, 60))
        missing = [name for name in names if not (self._folder("gt") / f"{name}.tif").is_file()]
        remarks = (f"gt lacks {', '.join(f'{name}.tif' for name in missing)}: {_WHERE}.",) if missing else ()
        return Expected(names=names, shape=(len(self.kept), *self.scene_size), where=_WHERE, remarks=remarks)

    def _read(self, folder: str, name: str, factor: float) -> Tensor:
        path = self._path(folder, name)
        file = open_cube(path, axes="CHW")
        check_shape(file.shape, (self.channels, *self.scene_size), f"the TIFF {path} of pages x rows x columns")
        cube = load_float(file)[self.kept]
        # Multiplied before it is clipped, so what the long exposure saturates is cut in both.
        return cube.mul_(factor / 4096.0).clamp_(0.0, 1.0)

    def _path(self, folder: str, name: str) -> Path:
        path = self._folder(folder) / f"{name}.tif"
        if not path.is_file():
            raise MissingFileError(f"There is no HSIDwrD file {path}: {_WHERE}.")
        return path

    def _folder(self, name: str) -> Path:
        root = check_folder(self.root, "the HSIDwrD data set, gt/N.tif and input50/N.tif,", _WHERE)
        inner = root / "real_dataset"
        base = inner if inner.is_dir() else root
        if not (base / "input50").is_dir():
            raise MissingFileError(
                f"The folder {base} holds no HSIDwrD scene, that is no input50/N.tif beside gt/N.tif, but "
                f"{listing(base)}: {_WHERE}."
            )
        return base / name


def _number(name: str) -> tuple[int, str]:
    """Sort 2 before 10, and whatever is no number last."""
    return (int(name), name) if name.isdecimal() else (1 << 30, name)
