"""Paris seen by one satellite, EO-1: its Hyperion and ALI images (Simoes et al., IEEE TGRS 53(6), 2015)."""

from pathlib import Path
from typing import Any

from datamodules.fusion_pair import FusionPair
from datamodules.scenes.checks import check_folder
from datamodules.scenes.expected import Expected
from datamodules.scenes.readers import read_mat
from hyperalign.errors import InputError, MissingFileError

_FILE = "paris_data_hs_ms.mat"
_WHERE = f"download {_FILE} from https://github.com/alfaiate/HySure, folder data, and set `root` to its folder"

ADVANCED_LAND_IMAGER = (443.0, 482.5, 565.0, 660.0, 790.0, 867.5, 1250.0, 1650.0, 2215.0)
"""Centres in nm of the channels 1', 1, 2, 3, 4, 4', 5', 5 and 7, as the file has them; numbers 3, 2, 1 are RGB."""


class ParisEO1(FusionPair):
    """The Paris pair as HySure distributes it, `<root>/paris_data_hs_ms.mat`: `HSim` 72 x 72 x 128, `MSim` 72 x 72 x 9.

    Both images lie on one grid of 30 m. The centres of the 128 kept Hyperion bands (`non_del_bands`) follow from their
    numbers, as the spectrometers sample evenly: 426.8 nm for band 8 and 10.176 nm a band up to 70 (VNIR), 912.5 nm for
    band 77 and 10.089 nm a band from there (SWIR), to 0.03 nm the published table.

    Args:
        root: folder of the file, or the file.
        scale: see `FusionPair`.
        tiles: see `FusionPair`; with 2, `paris_00` to `paris_03` of 36 x 36 pixels.
        **options: see `SceneDataModule`.

    Raises:
        ValueError: see `FusionPair`.
    """

    def __init__(self, root: str, *, scale: float | None = None, tiles: int = 2, **options: Any) -> None:  # noqa: ANN401
        super().__init__(
            root,
            multispectral_wavelengths=list(ADVANCED_LAND_IMAGER),
            hyperspectral_key="HSim",
            multispectral_key="MSim",
            scale=scale,
            tiles=tiles,
            **options,
        )

    @property
    def wavelengths(self) -> tuple[float, ...]:
        """Centres of the kept Hyperion bands in nm.

        Raises:
            FileNotFoundError: if the file is not there.
            ValueError: if it is damaged.
        """
        numbers = read_mat(self._path(), "non_del_bands").ravel().tolist()
        return tuple(hyperion_centre(int(number)) for number in numbers)

    def expected(self) -> Expected:
        """Return the tiles and where the file is."""
        side = 72 // self.tiles
        return Expected(
            names=self.scene_names(),
            shape=(128, side, side),
            where=_WHERE,
            folders=(self._path().parent,),
            sizes={_FILE: 2_899_131},
        )

    def _path(self) -> Path:
        if self.root.is_file():
            return self.root
        path = check_folder(self.root, f"the Paris pair, {_FILE},", _WHERE) / _FILE
        if not path.is_file():
            raise MissingFileError(f"The folder {self.root} holds no {_FILE}: {_WHERE}.")
        return path

    def pairs_found(self) -> dict[str, tuple[Path, Path]]:
        """Return the one file that holds both images."""
        return {"paris": (self._path(), self._path())}


def hyperion_centre(band: int) -> float:
    """Return the centre in nm of a Hyperion band.

    Args:
        band: its number, 1 to 242.

    Raises:
        ValueError: for any other number.
    """
    if not 1 <= band <= 242:
        raise InputError(f"Hyperion has no band {band}: give a number from 1 to 242.")
    centre = 355.59 + (band - 1) * 10.1757 if band <= 70 else 851.92 + (band - 71) * 10.0887
    return round(centre, 2)
