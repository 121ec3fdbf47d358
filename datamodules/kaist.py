"""KAIST: 30 scenes of 31 bands, 2704 x 3376 pixels (Choi, Jeon, Nam, Gutierrez and Kim, ACM TOG 36(6) 218, 2017)."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from datamodules.base import SceneDataModule, Subset
from datamodules.sampling.strips import Resizing, Rule, in_unit_range, load_float, load_resized
from datamodules.scenes import Scene
from datamodules.scenes.checks import check_folder
from datamodules.scenes.expected import Expected, listing
from datamodules.scenes.readers import open_cube
from datamodules.splits import load_split
from hyperalign.errors import InputError, MissingFileError
from hyperalign.files import file_states_digest

_WHERE = (
    "download scene01_reflectance.exr to scene30_reflectance.exr from "
    "https://vclab.kaist.ac.kr/siggraphasia2017p1/kaistdataset.html and set `root` to their folder"
)

EditionName = Literal["reflectance", "cvpr2021", "tsa_simulation", "crop256"]

_VISIBLE = tuple(float(wavelength) for wavelength in range(420, 721, 10))
_PRISM = (
    *(453.3, 457.6, 462.1, 466.8, 471.6, 476.5, 481.6, 486.9, 492.4, 498.0, 503.9, 509.9, 516.2, 522.7),
    *(529.5, 536.5, 543.8, 551.4, 558.6, 567.5, 575.3, 584.3, 594.4, 604.2, 614.4, 625.1, 636.3, 648.1),
)


@dataclass(frozen=True)
class _Edition:
    """One of the forms in which the scenes are passed on.

    Attributes:
        folders: where its files lie below `root`.
        pattern: the file names, with the scene's number as a group.
        name: the scene's name, from its number.
        key: the array in a .mat file; None for EXR.
        wavelengths: centres of the bands in nm.
    """

    folders: tuple[str, ...]
    pattern: str
    name: str
    key: str | None
    wavelengths: tuple[float, ...]


EDITIONS: Mapping[EditionName, _Edition] = {
    "reflectance": _Edition((".",), r"scene(\d\d)_reflectance\.exr", "scene{:02d}", None, _VISIBLE),
    "cvpr2021": _Edition(("KAIST_CVPR2021", "."), r"(\d+)\.mat", "cvpr2021_{:02d}", "HSI", _PRISM),
    "tsa_simulation": _Edition(
        ("TSA_simu_data/Truth", "Truth", "."), r"scene(\d\d)\.mat", "tsa_scene{:02d}", "img", _PRISM
    ),
    "crop256": _Edition((".",), r"kaist_crop256_(\d\d)\.mat", "crop256_{:02d}", "img", _VISIBLE),
}


class KAIST(SceneDataModule):
    """The KAIST scenes in their original layout, and three derivatives of them that other papers use.

    Editions, each told by the names of its files:

    - `reflectance`: `<root>/sceneNN_reflectance.exr`, 31 channels `w420nm` to `w720nm`, chosen by their names;
    - `cvpr2021`: `<root>/KAIST_CVPR2021/N.mat`, key `HSI`, 28 bands, on which MST trains;
    - `tsa_simulation`: `<root>/TSA_simu_data/Truth/sceneNN.mat`, key `img`, 256 x 256, the ten scenes on which the
      coded-aperture (CASSI) papers test; their numbers 01 to 10 are not those of the thirty scenes;
    - `crop256`: `<root>/kaist_crop256_NN.mat`, key `img`, 256 x 256, 31 bands of 420 to 720 nm.

    The 28 bands are those of the prism of TSA-Net's camera, 453.3 to 648.1 nm.

    HIR-ALIGN resizes each scene to 512 x 512 without saying how. Here a pixel is by default the mean of what it covers
    (`area`), rows and columns by their own factors, as the sides have other proportions. A scene is resized as it is
    read, strip by strip, so that the full size (1.1 GB a scene) is never in memory, unless `size` is null.

    Args:
        root: folder of the data set.
        edition: one of the four above.
        split: `cassi`: the ten scenes of the thirty that the coded-aperture papers test on, the other twenty to train;
            `all`: every scene found, none held back. Other editions than `reflectance` have `all` only.
        size: side in pixels that scenes are resized to, None leaves them as they are; editions of 256 x 256 pixels
            are never resized.
        resizing: `area`, or `bicubic` (MATLAB's imresize, antialiased).
        normalisation: `clip` (reflectance as it is, values outside of [0, 1] set to its ends), `maximum` or `minmax` of
            the resized scene.
        **options: see `SceneDataModule`.

    Raises:
        ValueError: for an unknown edition, split, resizing or normalisation, or a size below 1.
    """

    def __init__(
        self,
        root: str,
        *,
        edition: EditionName = "reflectance",
        split: Literal["cassi", "all"] = "cassi",
        size: int | None = 512,
        resizing: Resizing = "area",
        normalisation: Literal["clip", "maximum", "minmax"] = "clip",
        **options: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(**options)
        if edition not in EDITIONS:
            raise InputError(f"The KAIST edition {edition!r} is unknown: choose {', '.join(EDITIONS)}.")
        if split != "all":
            load_split("KAIST", split)
        if resizing not in ("area", "bicubic"):
            raise InputError(f"The resizing {resizing!r} is unknown: choose area or bicubic.")
        if normalisation not in ("clip", "maximum", "minmax"):
            raise InputError(f"The normalisation {normalisation!r} is unknown: choose clip, maximum or minmax.")
        if size is not None and size < 1:
            raise InputError(f"A size of {size} pixels is empty: give at least 1, or null for the size of the file.")
        self.root = Path(root)
        self.edition: EditionName = edition
        self.split = split if edition == "reflectance" else "all"
        self.size = None if edition in ("tsa_simulation", "crop256") else size
        self.resizing: Resizing = resizing
        self.normalisation: Rule = normalisation

    @property
    def wavelengths(self) -> tuple[float, ...]:
        """420, 430, ... 720 nm, or the 28 centres of the editions with 28 bands."""
        return EDITIONS[self.edition].wavelengths

    def scene_names(self) -> tuple[str, ...]:
        """Return the scenes found, sorted."""
        return tuple(sorted(self._files()))

    def canonical_name(self, name: str) -> str:
        """Return the name without `_reflectance` and without the file's ending."""
        return re.sub(r"(_reflectance)?(\.exr|\.mat)?$", "", name)

    def default_names(self, subset: Subset) -> Sequence[str]:
        """Return the scenes of the split."""
        if self.split == "all":
            return super().default_names(subset)
        first, second = load_split("KAIST", self.split)
        return first if subset in ("training", "observed") else second

    def read_scene(self, name: str) -> Scene:
        """Read one scene, resized and normalised.

        Raises:
            FileNotFoundError: if the scene is missing.
            ImportError: if an .exr file is to be read and OpenEXR is not installed.
            ValueError: if the file is damaged, has other bands, or cannot be normalised.
        """
        path, edition = self._path(name), EDITIONS[self.edition]
        # MATLAB files do not say their wavelengths; an EXR file names its channels by them.
        file = open_cube(path) if edition.key is None else open_cube(path, key=edition.key, axes="HWC")
        named = file.wavelengths if edition.key is None else None
        if file.shape[0] != len(self.wavelengths) or (named is not None and named != self.wavelengths):
            low, high = (f"{end:g}" for end in (self.wavelengths[0], self.wavelengths[-1]))
            raise InputError(
                f"The KAIST file {path} has {file.shape[0]} bands where {len(self.wavelengths)} of {low} to {high} nm "
                f"are expected: choose its `edition`, or use the original file."
            )
        resized = self.size is not None and file.shape[1:] != (self.size, self.size)
        cube = load_resized(file, self.size, self.size, self.resizing) if resized and self.size else load_float(file)
        size = f"resized to {self.size} x {self.size} pixels ({self.resizing})" if resized else "as in the file"
        return Scene(
            name, in_unit_range(cube, self.normalisation, str(path)), self.wavelengths, metadata={"size": size}
        )

    def fingerprint(self, name: str) -> str:
        """Return a hash of path, size and time of the file and of the settings."""
        settings = f"{self.edition} {self.size} {self.resizing} {self.normalisation}"
        return file_states_digest(settings, self.source_files(name))

    def source_files(self, name: str) -> Sequence[Path]:
        """Return the scene's file."""
        return (self._path(name),)

    def expected(self) -> Expected:
        """Return the thirty scenes of the original, or the ten of the simulations, and their shape."""
        counts: Mapping[EditionName, int] = {"reflectance": 30, "cvpr2021": 30, "tsa_simulation": 10, "crop256": 0}
        name: Callable[[int], str] = EDITIONS[self.edition].name.format
        side = self.size if self.size is not None else 256 if counts[self.edition] <= 10 else None
        return Expected(
            names=tuple(name(number) for number in range(1, counts[self.edition] + 1)),
            shape=None if side is None else (len(self.wavelengths), side, side),
            where=_WHERE,
            folders=tuple(self.root / folder for folder in EDITIONS[self.edition].folders),
        )

    def _path(self, name: str) -> Path:
        files = self._files()
        if name not in files:
            raise MissingFileError(f"There is no KAIST scene {name!r} of {self.edition} in {self.root}: {_WHERE}.")
        return files[name]

    def _files(self) -> dict[str, Path]:
        edition = EDITIONS[self.edition]
        root = check_folder(self.root, f"the KAIST data set, edition {self.edition},", _WHERE)
        for folder in (root / below for below in edition.folders):
            found = {
                edition.name.format(int(match[1])): path
                for path in (folder.iterdir() if folder.is_dir() else ())
                if (match := re.fullmatch(edition.pattern, path.name))
            }
            if found:
                return found
        looked = edition.pattern.replace("\\d\\d", "NN").replace("\\d+", "N").replace("\\", "").replace("(", "")
        raise MissingFileError(
            f"The folder {root} holds no scene of the KAIST edition {self.edition}, that is no "
            f"{looked.replace(')', '')} in it or in {edition.folders[0]}, but {listing(root)}: {_WHERE}, or choose "
            "another `edition`."
        )
