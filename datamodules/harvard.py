"""Harvard: 50 + 27 scenes of 31 bands, 1040 x 1392 pixels (Chakrabarti and Zickler, CVPR 2011)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from datamodules.base import SceneDataModule, Subset
from datamodules.scenes import Scene
from datamodules.scenes.checks import check_folder
from datamodules.scenes.expected import Expected, listing
from datamodules.scenes.facts.missing import refuse_marks
from datamodules.scenes.readers import check_shape, read_mat
from datamodules.splits import load_split
from hyperalign.errors import InputError, MissingFileError
from hyperalign.files import file_states_digest

_WHERE = (
    "download CZ_hsdb.tgz from https://vision.seas.harvard.edu/hyperspec, unpack it and set `root` to the folder that "
    "holds CZ_hsdb"
)


class Harvard(SceneDataModule):
    """The Harvard hyperspectral images in their original layout, 420, 430, ... 720 nm.

    `<root>/CZ_hsdb/img*.mat` (daylight) and, where it is there, `<root>/CZ_hsdbi/img*.mat` (artificial light); `root`
    may also be one of the two folders itself. Both folders hold an `img1`, so daylight scenes are named as their
    files are, `img1`, and the others `hsdbi_img1` (written `CZ_hsdbi/img1` they are accepted too). Keep the folders
    apart: unpacked into one, the archives overwrite each other.

    `ref` is raw: small numbers with the sensitivity of the camera in them. By default it is divided by the largest
    value of the whole scene, before any crop, and neither `lbl` nor `calib.txt` is used, as in public code.

    CO2IF trains on crops of 960 x 960 pixels and tests on the other scenes, of which it names no crop: `crop: 960`,
    from the centre, as it does not say from where, and `whole_tests: true`.

    Args:
        root: folder of the data set.
        split: `co2if` (30 scenes and 20, drawn here with a seed as the paper lists none), `hsir` (30 and 20, the lists
            of bit-isp/HSIR), both of daylight scenes (`datamodules/splits/harvard_*.json`); `all`: every scene found,
            none held back.
        normalisation: `maximum` of the scene, `minmax` (its smallest value becomes 0, its largest 1), or `none`.
        masked: pixels that moved between the bands (`lbl` is 0): `ignore` uses them as they are, `zero` sets them to 0
            in all bands and leaves them out of the normalisation.
        calibrate: divide each band by the camera's sensitivity, `calib.txt` beside the scenes or in `root`.
        whole_tests: whether `crop` leaves the scenes of `validation` and `unobserved` whole.
        **options: see `SceneDataModule`.

    Raises:
        ValueError: for an unknown split, normalisation or mask rule.
    """

    scene_size: ClassVar[tuple[int, int]] = (1040, 1392)
    """Rows and columns of a scene."""

    def __init__(
        self,
        root: str,
        *,
        split: Literal["co2if", "hsir", "all"] = "co2if",
        normalisation: Literal["maximum", "minmax", "none"] = "maximum",
        masked: Literal["ignore", "zero"] = "ignore",
        calibrate: bool = False,
        whole_tests: bool = False,
        **options: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(**options)
        if split != "all":
            load_split("Harvard", split)
        if normalisation not in ("maximum", "minmax", "none"):
            raise InputError(f"The normalisation {normalisation!r} is unknown: choose maximum, minmax or none.")
        if masked not in ("ignore", "zero"):
            raise InputError(f"The rule {masked!r} for masked pixels is unknown: choose ignore or zero.")
        self.root = Path(root)
        self.split = split
        self.normalisation = normalisation
        self.masked = masked
        self.calibrate = calibrate
        self.whole_tests = whole_tests

    @property
    def wavelengths(self) -> tuple[float, ...]:
        """420, 430, ... 720 nm."""
        return tuple(float(wavelength) for wavelength in range(420, 721, 10))

    def scene_names(self) -> tuple[str, ...]:
        """Return the scenes found, sorted."""
        return tuple(sorted(self._files()))

    def canonical_name(self, name: str) -> str:
        """Return the name without `.mat` and without the folder of the daylight scenes."""
        # No name has a slash: it is the name of a folder in the cache and of files in the logs.
        name = name.removesuffix(".mat").removeprefix("CZ_")
        return name.removeprefix("hsdb/").replace("hsdbi/", "hsdbi_")

    def default_names(self, subset: Subset) -> Sequence[str]:
        """Return the scenes of the split."""
        if self.split == "all":
            return super().default_names(subset)
        first, second = load_split("Harvard", self.split)
        return first if subset in ("training", "observed") else second

    def crop_of(self, name: str) -> int | None:
        """Return `crop`, or None for scenes to test on where these are to be whole."""
        if self.whole_tests and any(name in self.names(subset) for subset in ("validation", "unobserved")):
            return None
        return super().crop_of(name)

    def read_scene(self, name: str) -> Scene:
        """Read one scene, normalised.

        Raises:
            FileNotFoundError: if the scene, or `calib.txt` where it is asked for, is missing.
            ValueError: if the file is damaged, lacks `ref` or `lbl`, is of another size, or cannot be normalised.
        """
        path = self._path(name)
        reference = read_mat(path, "ref")
        check_shape(reference.shape, (*self.scene_size, len(self.wavelengths)), f"the array 'ref' in {path}")
        cube = torch.from_numpy(np.ascontiguousarray(reference.transpose(2, 0, 1), dtype=np.float32))
        if self.calibrate:
            cube /= self._sensitivity(path)[:, None, None]
        used = torch.ones(self.scene_size, dtype=torch.bool)
        if self.masked == "zero":
            label = read_mat(path, "lbl")
            check_shape(label.shape, self.scene_size, f"the array 'lbl' in {path}")
            used = torch.from_numpy(label != 0)
        refuse_marks(reference[used.numpy()], path)
        cube = self._normalised(cube, used, path)
        return Scene(name, cube.masked_fill_(~used, 0.0), self.wavelengths)

    def fingerprint(self, name: str) -> str:
        """Return a hash of path, size and time of the scene's files and of the settings."""
        path = self._path(name)
        files = (path, self._calibration(path)) if self.calibrate else (path,)
        return file_states_digest(f"{self.normalisation} {self.masked} {self.calibrate}", files)

    def source_files(self, name: str) -> Sequence[Path]:
        """Return the scene's file."""
        return (self._path(name),)

    def expected(self) -> Expected:
        """Return the 50 daylight scenes, and of the 27 in artificial light their number, if there are any."""
        artificial = [name for name in self._files() if name.startswith("hsdbi_")]
        daylight = len(artificial) < len(self._files()) or not artificial
        first, second = load_split("Harvard", "hsir")
        remarks = []
        if artificial and len(artificial) != 27:
            remarks.append(f"CZ_hsdbi holds {len(artificial)} scenes of 27: unpack CZ_hsdbi.tgz again.")
        return Expected(
            names=tuple(sorted(first + second)) if daylight else (),
            shape=(len(self.wavelengths), *self.scene_size),
            where=_WHERE,
            folders=(self.root, self.root.parent),
            archives=("CZ_hsdb.tgz", "CZ_hsdbi.tgz"),
            remarks=tuple(remarks),
        )

    def _normalised(self, cube: Tensor, used: Tensor, path: Path) -> Tensor:
        """Bring the used pixels to [0, 1]; values that are not finite are left for the check that names them."""
        if self.normalisation == "none":
            return cube
        finite = cube.isfinite() & used
        if not finite.any():
            raise InputError(f"The scene {path} has no usable pixel: download it again, or leave it out.")
        low = float(cube.masked_fill(~finite, torch.inf).min()) if self.normalisation == "minmax" else 0.0
        high = float(cube.masked_fill(~finite, -torch.inf).max())
        if not high > low:
            raise InputError(
                f"The scene {path} cannot be normalised, as its largest value is {high:g} and what becomes 0 is "
                f"{low:g}: download it again, or leave it out."
            )
        return cube.sub_(low).div_(high - low)

    def _sensitivity(self, path: Path) -> Tensor:
        calibration = self._calibration(path)
        try:
            numbers = [float(word) for word in calibration.read_text(encoding="utf-8").split()]
        except ValueError:
            numbers = []
        if len(numbers) != len(self.wavelengths) or min(numbers) <= 0:
            raise InputError(
                f"The file {calibration} does not hold {len(self.wavelengths)} positive numbers: unpack it again, or "
                "set `calibrate` to false."
            )
        return torch.tensor(numbers)

    def _calibration(self, path: Path) -> Path:
        for folder in (path.parent, self.root):
            if (calibration := folder / "calib.txt").is_file():
                return calibration
        raise MissingFileError(
            f"There is no calib.txt in {path.parent} or {self.root}: copy it there, or set `calibrate` to false."
        )

    def _path(self, name: str) -> Path:
        files = self._files()
        if name not in files:
            raise MissingFileError(f"There is no Harvard scene {name!r} in {self.root}: unpack it there.")
        return files[name]

    def _files(self) -> dict[str, Path]:
        root = check_folder(self.root, "the Harvard data set, CZ_hsdb/img*.mat,", _WHERE)
        folders = [folder for name in ("CZ_hsdb", "CZ_hsdbi") if (folder := root / name).is_dir()] or [root]
        files = {
            f"hsdbi_{path.stem}" if folder.resolve().name == "CZ_hsdbi" else path.stem: path
            for folder in folders
            for path in folder.glob("img*.mat")
        }
        if not files:
            raise MissingFileError(
                f"The folder {root} holds no Harvard scene, that is no img*.mat in CZ_hsdb, CZ_hsdbi or itself, but "
                f"{listing(root)}: {_WHERE}."
            )
        return files
