"""CAVE: 32 scenes of 31 bands, 512 x 512 pixels (Yasuma, Mitsunaga, Iso and Nayar, CUCS-061-08, 2008)."""

import hashlib
import json
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from datamodules.base import SceneDataModule, Subset
from datamodules.scenes import Scene
from datamodules.scenes.checks import check_folder
from datamodules.scenes.expected import Expected, listing
from datamodules.scenes.readers.png_stack import band_files, read_png_stack
from datamodules.splits.files import CAVE_SPLITS
from hyperalign.errors import InputError, MissingFileError

_WHERE = (
    "download complete_ms_data.zip from https://www.cs.columbia.edu/CAVE/databases/multispectral, unpack it and set "
    "`root` to it"
)
_CHECKSUMS = Path(__file__).parent / "checksums" / "cave.json"


class CAVE(SceneDataModule):
    """The CAVE multispectral images in their original layout, band 01 = 400 nm to band 31 = 700 nm.

    `<root>/<scene>_ms/<scene>_ms/<scene>_ms_NN.png` as unpacked from the original archive, the same with the folder
    once, and either of them inside `<root>/complete_ms_data` are found. Values are estimated reflectance, each file
    divided by the full scale of its type (the scene watercolors is 8-bit RGBA, all others 16-bit grey). Scenes are
    named without `_ms`; names given with it are accepted.

    A published number needs its split named: the first set of a split is the default of `training` and `observed`,
    the second of `validation` and `unobserved`.

    Args:
        root: folder of the data set.
        split: `hsir`, `first20`, `mhf` or `co2if` (see `CAVE_SPLITS`), or `all`: every scene found, none held back.
        **options: see `SceneDataModule`.

    Raises:
        ValueError: for an unknown split.
    """

    packaged_captions: ClassVar[str | None] = "cave"

    # The options are left untyped here so that the command line takes types, defaults and help from the base class.
    def __init__(
        self,
        root: str,
        *,
        split: Literal["hsir", "first20", "mhf", "co2if", "all"] = "hsir",
        **options: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(**options)
        if split != "all" and split not in CAVE_SPLITS:
            raise InputError(f"The CAVE split {split!r} is unknown: choose {', '.join(CAVE_SPLITS)} or all.")
        self.root = Path(root)
        self.split = split

    @property
    def wavelengths(self) -> tuple[float, ...]:
        """400, 410, ... 700 nm."""
        return tuple(float(wavelength) for wavelength in range(400, 701, 10))

    def scene_names(self) -> tuple[str, ...]:
        """Return the scenes found, sorted, without `_ms`."""
        return tuple(sorted(self._folders()))

    def canonical_name(self, name: str) -> str:
        """Return the name without the `_ms` of its folder."""
        return name.removesuffix("_ms")

    def default_names(self, subset: Subset) -> Sequence[str]:
        """Return the scenes of the split."""
        if self.split == "all":
            return super().default_names(subset)
        first, second = CAVE_SPLITS[self.split]
        return first if subset in ("training", "observed") else second

    def read_scene(self, name: str) -> Scene:
        """Read one scene.

        Raises:
            FileNotFoundError: if the scene or the file of a band is missing.
            ValueError: if a file is truncated or of another size.
        """
        return Scene(name, read_png_stack(self._folder(name), len(self.wavelengths)), self.wavelengths)

    def fingerprint(self, name: str) -> str:
        """Return a hash of the paths, sizes and times of the scene's files."""
        folder = self._folder(name)
        above = f"{folder.resolve()}{os.sep}"
        digest = hashlib.sha256()
        for path in band_files(folder).values():
            # Resolving every file would take longer than all the rest of opening a data set.
            status, place = path.lstat(), above + path.name
            if stat.S_ISLNK(status.st_mode):
                status, place = path.stat(), str(path.resolve())
            digest.update(f"{place}\n{status.st_size}\n{status.st_mtime_ns}\n".encode())
        return digest.hexdigest()

    def source_files(self, name: str) -> Sequence[Path]:
        """Return the PNG of every band in the order of the bands."""
        return tuple(path for _, path in sorted(band_files(self._folder(name)).items()))

    def expected(self) -> Expected:
        """Return the 32 scenes of the original archive."""
        first, second = CAVE_SPLITS["hsir"]
        return Expected(
            names=tuple(sorted(first + second)),
            shape=(31, 512, 512),
            where=_WHERE,
            folders=(self.root, self.root.parent),
            archives=("complete_ms_data.zip",),
            sizes={"complete_ms_data.zip": 405_988_465},
            checksums=json.loads(_CHECKSUMS.read_text(encoding="utf-8"))["scenes"],
        )

    def _folder(self, name: str) -> Path:
        folder = self._base() / f"{name}_ms"
        if not folder.is_dir():
            self._folders()
            raise MissingFileError(f"There is no CAVE scene {name!r} in {self.root}: unpack it there as {name}_ms.")
        inner = folder / folder.name
        return inner if inner.is_dir() else folder

    def _base(self) -> Path:
        inner = self.root / "complete_ms_data"
        return inner if inner.is_dir() else self.root

    def _folders(self) -> dict[str, Path]:
        root = check_folder(self.root, "the CAVE data set, one folder <scene>_ms per scene,", _WHERE)
        folders = {
            path.name.removesuffix("_ms"): path
            for path in self._base().iterdir()
            if path.name.endswith("_ms") and path.is_dir()
        }
        if not folders:
            raise MissingFileError(
                f"The folder {root} holds no CAVE scene, that is no folder <scene>_ms, but {listing(root)}: {_WHERE}."
            )
        return folders
