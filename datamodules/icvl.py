"""ICVL: about 200 scenes of 31 bands, 1300 x 1392 pixels (Arad and Ben-Shahar, ECCV 2016)."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch

from datamodules.base import SceneDataModule, Subset
from datamodules.sampling.strips import Rule, in_unit_range, load_float
from datamodules.scenes import Scene
from datamodules.scenes.checks import check_folder
from datamodules.scenes.expected import Expected, listing
from datamodules.scenes.readers import MatCube
from datamodules.splits import load_split
from hyperalign.errors import InputError, MissingFileError
from hyperalign.files import file_states_digest

_log = logging.getLogger(__name__)
_WHERE = (
    "download the .mat files from https://huggingface.co/datasets/ICVL-BGU/ICVL_HS_2016 (or the former "
    "http://icvl.cs.bgu.ac.il/hyperspectral) and set `root` to their folder"
)

Split = Literal["sert", "mp_hsir", "t3sc", "qrnn3d_gaussian", "qrnn3d_complex", "ssumamba"]


class ICVL(SceneDataModule):
    """The ICVL hyperspectral images in their original layout, 400, 410, ... 700 nm.

    `<root>/<scene>.mat` or `<root>/mat/<scene>.mat`, MATLAB v7.3, key `rad`. Names are as their files are, with
    capitals where they have them.

    The picture lies on its side in MATLAB (1392 rows) and stands as a mirror image in HDF5, and public codes turn it
    each in its own way. Here it is upright: which axis holds the 31 bands and which the camera's 1392 columns is told
    from the sizes, and a picture of 1392 rows is turned by a quarter counterclockwise, as QRNN3D's test code does.

    Splits, which are the defaults of both roles: `sert`, `mp_hsir` (the same lists), `qrnn3d_gaussian`,
    `qrnn3d_complex` and `ssumamba` share one training list of 100 scenes; `t3sc` has its own. **They leak into one
    another: 31 of the 50 test scenes of `t3sc` are in the training list of `sert`, and 24 of the 50 test scenes of
    `sert` are in that of `t3sc`**, so weights that were published with one are not tested with the other; scenes of
    `validation`, `observed` or `unobserved` that the weights were trained on are told in a warning (`trained_on`).

    Args:
        root: folder of the data set.
        split: one of the lists above, or `all`: every scene found, none held back.
        trained_on: the list that the weights to be tested or adapted were trained on; None takes that of `split` in the
            role source, and none in the role target, where the source may be another data set.
        normalisation: `minmax` of the whole scene (as QRNN3D, SERT and T3SC), `maximum` or `none`.
        **options: see `SceneDataModule`; the codes crop the centre, 1024 pixels for training and 512 for test.

    Raises:
        ValueError: for an unknown split or normalisation.
    """

    columns: ClassVar[int] = 1392
    """Columns of an upright picture: the camera's line."""

    def __init__(
        self,
        root: str,
        *,
        split: Literal["sert", "mp_hsir", "t3sc", "qrnn3d_gaussian", "qrnn3d_complex", "ssumamba", "all"] = "sert",
        trained_on: Split | None = None,
        normalisation: Literal["minmax", "maximum", "none"] = "minmax",
        **options: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(**options)
        for name in (split, trained_on):
            if name not in ("all", None):
                load_split("ICVL", name)
        if normalisation not in ("minmax", "maximum", "none"):
            raise InputError(f"The normalisation {normalisation!r} is unknown: choose minmax, maximum or none.")
        self.root = Path(root)
        self.split = split
        self.trained_on = trained_on
        self.normalisation: Rule = normalisation

    @property
    def wavelengths(self) -> tuple[float, ...]:
        """400, 410, ... 700 nm."""
        return tuple(float(wavelength) for wavelength in range(400, 701, 10))

    def scene_names(self) -> tuple[str, ...]:
        """Return the scenes found, sorted."""
        return tuple(sorted(self._files()))

    def canonical_name(self, name: str) -> str:
        """Return the name without `.mat`."""
        return name.removesuffix(".mat")

    def default_names(self, subset: Subset) -> Sequence[str]:
        """Return the scenes of the split."""
        if self.split == "all":
            return super().default_names(subset)
        first, second = load_split("ICVL", self.split)
        return first if subset in ("training", "observed") else second

    def leaked(self) -> tuple[str, ...]:
        """Return the scenes to test on, or to adapt to, that the weights were trained on (`trained_on`)."""
        split = self.trained_on or (self.split if self.role == "source" else "all")
        if split == "all":
            return ()
        tested = (
            self.names("validation") if self.role == "source" else self.names("observed") + self.names("unobserved")
        )
        seen = set(load_split("ICVL", split)[0])
        return tuple(name for name in tested if name in seen)

    def prepare_data(self) -> None:
        """Build the cached cubes, and warn of scenes on both sides."""
        if leaked := self.leaked():
            _log.warning(
                "%d of the ICVL scenes to be scored (%s%s) are in the training list %s, so their scores say nothing "
                "about unseen scenes: choose the lists of one split for both.",
                len(leaked),
                ", ".join(leaked[:3]),
                ", ..." if len(leaked) > 3 else "",
                self.trained_on or self.split,
            )
        super().prepare_data()

    def read_scene(self, name: str) -> Scene:
        """Read one scene, upright and normalised.

        Raises:
            FileNotFoundError: if the scene is missing.
            ValueError: if the file is damaged, lacks `rad`, is of another size, or cannot be normalised.
        """
        path = self._path(name)
        cube = load_float(self._opened(path))
        if cube.shape[2] != self.columns:
            cube = torch.rot90(cube, 1, (1, 2)).contiguous()
        return Scene(name, in_unit_range(cube, self.normalisation, str(path)), self.wavelengths)

    def fingerprint(self, name: str) -> str:
        """Return a hash of path, size and time of the file and of the normalisation."""
        return file_states_digest(f"upright {self.normalisation}", self.source_files(name))

    def source_files(self, name: str) -> Sequence[Path]:
        """Return the scene's file."""
        return (self._path(name),)

    def expected(self) -> Expected:
        """Return the scenes of the split; the whole data set has about 200, of which no list is at hand."""
        names = () if self.split == "all" else tuple(sorted(sum(load_split("ICVL", self.split), ())))
        return Expected(names=names, where=_WHERE, folders=(self.root, self.root / "mat"))

    def _opened(self, path: Path) -> MatCube:
        """Open the cube with its bands first, whichever axis they are on."""
        bands = len(self.wavelengths)
        file = MatCube(path, "rad", axes="HWC")
        if file.shape[0] != bands and file.shape[1] == bands:
            # Saved by other software with the bands last: HDF5 then shows rows, columns, bands.
            file = MatCube(path, "rad", axes="CWH")
        if file.shape[0] != bands or self.columns not in file.shape[1:]:
            raise InputError(
                f"The array 'rad' in {path} has the sizes {' x '.join(map(str, file.shape))} where {bands} bands and a "
                f"side of {self.columns} pixels are expected: it is another data set or has been cropped, so use the "
                "original file."
            )
        return file

    def _path(self, name: str) -> Path:
        files = self._files()
        if name not in files:
            raise MissingFileError(f"There is no ICVL scene {name!r} in {self.root}: download {name}.mat there.")
        return files[name]

    def _files(self) -> dict[str, Path]:
        root = check_folder(self.root, "the ICVL data set, <scene>.mat or mat/<scene>.mat,", _WHERE)
        inner = root / "mat"
        folder = inner if inner.is_dir() else root
        files = {path.stem: path for path in folder.glob("*.mat") if not path.name.startswith(".")}
        if not files:
            raise MissingFileError(
                f"The folder {root} holds no ICVL scene, that is no <scene>.mat in mat or itself, but "
                f"{listing(folder)}: {_WHERE}."
            )
        return files
