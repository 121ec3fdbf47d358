"""Chikusei: one airborne scene of 128 bands, cut into 16 patches (Yokoya and Iwasaki, SAL-2016-05-27, 2016)."""

import hashlib
import json
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch

from datamodules.base import SceneDataModule, Subset
from datamodules.scenes import Scene
from datamodules.scenes.checks import check_folder
from datamodules.scenes.expected import Expected, listing
from datamodules.scenes.readers import CubeFile, EnviCube, MatCube, check_shape
from datamodules.splits import load_split
from hyperalign.errors import FileAccessError, InputError, MissingFileError
from hyperalign.files import parsed_json, write_text

_log = logging.getLogger(__name__)
_STEM = "HyperspecVNIR_Chikusei_20140729"
_WHERE = (
    "download Hyperspec_Chikusei_MATLAB.zip or Hyperspec_Chikusei_ENVI.zip from https://naotoyokoya.com/Download.html, "
    "unpack it and set `root` to it"
)


class Chikusei(SceneDataModule):
    """The Chikusei scene, 2517 x 2335 pixels of 2.5 m, as the 16 patches of 512 x 512 pixels that CO2IF speaks of.

    Found in `root` or up to two folders below it: `HyperspecVNIR_Chikusei_20140729.mat` (v7.3, key `chikusei`), which
    public code reads, or else the ENVI edition, `.bsq` and `.hdr`. Only the window of a patch is read from the file.

    What CO2IF leaves out is settled as follows. The patches are the 4 x 4 grid, `patch_00` to `patch_15` row by row,
    over rows 107 to 2154 and columns 144 to 2191 (counted from 1): the usual crop of 2304 x 2048 pixels less its last
    256 rows, so that `patch_00` to `patch_03` are the four test images of SSPSR. Values are divided by the largest
    value of the whole usual crop, as public code does; it is read once and kept beside the cached patches. Which 12
    patches train is drawn with a seed (`datamodules/splits/chikusei_co2if.json`). All patches lie in one scene, so
    the two sets are neighbours on the ground.

    Centres of the bands come from the ENVI header, if one is found, also for the MATLAB file, which has none; without
    a header they are 128 equally spaced numbers from 363 to 1018 nm.

    Args:
        root: folder of the data set.
        split: `co2if`, or `all`: every patch, none held back.
        scale: what values are divided by (reflectance is stored times about 10000, and some values lie above);
            None takes the largest value of the crop.
        **options: see `SceneDataModule`.

    Raises:
        ValueError: for an unknown split or a scale that is not positive.
    """

    scene_size: ClassVar[tuple[int, int]] = (2517, 2335)
    """Rows and columns of the file."""
    crop_corner: ClassVar[tuple[int, int]] = (106, 143)
    """First row and column of the usual crop, counted from 0."""
    crop_size: ClassVar[tuple[int, int]] = (2304, 2048)
    """Rows and columns of the usual crop."""
    patch_side: ClassVar[int] = 512
    """Side of a patch in pixels."""

    def __init__(
        self,
        root: str,
        *,
        split: Literal["co2if", "all"] = "co2if",
        scale: float | None = None,
        **options: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(**options)
        if split != "all":
            load_split("Chikusei", split)
        if scale is not None and not (scale > 0 and math.isfinite(scale)):
            raise InputError(f"A scale of {scale} divides nothing: give a positive number, or leave `scale` out.")
        self.root = Path(root)
        self.split = split
        self.scale = scale

    @property
    def wavelengths(self) -> tuple[float, ...]:
        """The 128 centres from the ENVI header, equally spaced from 363 to 1018 nm where there is none.

        Raises:
            ValueError: if the header is damaged or has another number of them.
        """
        image = self._find(".bsq")
        # The MATLAB file is as good without a header; without both, reading the image says what is missing.
        headed = image is not None and (self._find(".hdr") or self._find(".bsq.hdr")) is not None
        centres = EnviCube(image).wavelengths if image is not None and headed else None
        return centres or tuple(round(float(centre), 6) for centre in np.linspace(363.0, 1018.0, 128))

    @property
    def normalisation(self) -> str:
        """`scale:VALUE` if there is a scale, `maximum` if not, as checkpoints record it."""
        return "maximum" if self.scale is None else f"scale:{self.scale:g}"

    def scene_names(self) -> tuple[str, ...]:
        """Return `patch_00` to `patch_15`.

        Raises:
            FileNotFoundError: if the data set is not there.
        """
        self._path()
        return tuple(f"patch_{number:02d}" for number in range(16))

    def default_names(self, subset: Subset) -> Sequence[str]:
        """Return the patches of the split."""
        if self.split == "all":
            return super().default_names(subset)
        first, second = load_split("Chikusei", self.split)
        return first if subset in ("training", "observed") else second

    def read_scene(self, name: str) -> Scene:
        """Read the window of one patch.

        Raises:
            FileNotFoundError: if the data set is not there.
            ValueError: if no patch has this name, or the file is damaged or of another size.
        """
        row, column = self._corner(name)
        file = self._file()
        window = file.complete(row, column, self.patch_side, self.patch_side)
        scale = self.scale if self.scale is not None else self._crop_maximum(file)
        cube = torch.from_numpy(window.astype(np.float32, copy=False) / np.float32(scale))
        where = f"rows {row + 1} to {row + self.patch_side}, columns {column + 1} to {column + self.patch_side}"
        return Scene(
            name, cube, self.wavelengths, metadata={"file": file.path.name, "window": where, "scale": str(scale)}
        )

    def fingerprint(self, name: str) -> str:
        """Return a hash of path, size and time of the file and its ENVI header, of the window and of the scale."""
        return self._digest(f"{self._corner(name)} {self.patch_side}\nscale {self.scale}\n{self.wavelengths}")

    def source_files(self, name: str) -> Sequence[Path]:
        """Return the one file that all patches lie in."""
        return (self._path(),)

    def expected(self) -> Expected:
        """Return the 16 patches, and the size of the image of the ENVI edition."""
        return Expected(
            names=self.scene_names(),
            shape=(128, self.patch_side, self.patch_side),
            where=_WHERE,
            folders=(self._path().parent, self.root, self.root.parent),
            archives=("Hyperspec_Chikusei_MATLAB.zip", "Hyperspec_Chikusei_ENVI.zip"),
            sizes={f"{_STEM}.bsq": math.prod((*self.scene_size, 128)) * 2},
        )

    def _corner(self, name: str) -> tuple[int, int]:
        names = self.scene_names()
        if name not in names:
            raise InputError(f"There is no Chikusei patch {name!r}: name one of {names[0]} to {names[-1]}.")
        row, column = divmod(names.index(name), 4)
        return self.crop_corner[0] + row * self.patch_side, self.crop_corner[1] + column * self.patch_side

    def _crop_maximum(self, file: CubeFile) -> float:
        """Largest finite value of the usual crop, read once and then kept in the cache."""
        record = self.cache.folder / "crop_maximum" / f"{self._digest('maximum')}.json"
        try:
            return float(parsed_json(record.read_text(encoding="utf-8"))["maximum"])
        except OSError:
            # Not there or not readable: writing says why, if that cannot be done either.
            _log.info("The largest value of the Chikusei crop is read from %s, once.", file.path)
        except (ValueError, KeyError, TypeError) as error:
            _log.warning("The record %s is damaged (%s): it is made again.", record, error)
        maximum = file.maximum(*self.crop_corner, *self.crop_size)
        if not maximum > 0:
            raise InputError(f"The Chikusei crop in {file.path} holds no value above 0: download the file again.")
        try:
            write_text(record, json.dumps({"maximum": maximum, "file": str(file.path)}))
        except OSError as error:
            raise FileAccessError(
                f"The largest value of Chikusei cannot be written to the cache folder {record.parent} "
                f"({error.strerror or error}): free space there, or name another folder with `cache`."
            ) from error
        return maximum

    def _digest(self, what: str) -> str:
        path = self._path()
        status = path.stat()
        crop = f"{self.crop_corner} {self.crop_size}"
        text = f"{path.resolve()}\n{status.st_size}\n{status.st_mtime_ns}\n{crop}\n{what}"
        return hashlib.sha256(text.encode()).hexdigest()

    def _file(self) -> CubeFile:
        path = self._path()
        file: CubeFile = MatCube(path, "chikusei", axes="HWC") if path.suffix == ".mat" else EnviCube(path)
        bands, height, width = file.shape
        check_shape((height, width, bands), (*self.scene_size, 128), f"the Chikusei cube in {path}")
        return file

    def _path(self) -> Path:
        root = check_folder(self.root, f"the Chikusei data set, {_STEM}.mat or .bsq,", _WHERE)
        path = self._find(".mat") or self._find(".bsq")
        if path is None:
            raise MissingFileError(
                f"Neither {_STEM}.mat nor {_STEM}.bsq is in {root} or up to two folders below, which holds "
                f"{listing(root)}: {_WHERE}."
            )
        return path

    def _find(self, suffix: str) -> Path | None:
        for below in ("", "*/", "*/*/"):
            if found := sorted(self.root.glob(f"{below}{_STEM}{suffix}")):
                return found[0]
        return None
