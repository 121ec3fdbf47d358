"""One cube of a user's folder as a network is given it: its bands matched, its values normalised, its NaN filled."""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.scenes.band_matching import BandMatch
from datamodules.scenes.normalisation import (
    LARGEST,
    RULES,
    Normalisation,
    Statistics,
    extremes,
    measured,
    normalisation_of,
    reads_all_values,
)
from datamodules.scenes.readers import CubeFile, check_depth
from hyperalign.errors import InputError

MaskRule = Literal["refuse", "keep"]
"""What to do with missing values: refuse the cube, or fill them for the network and write them back as missing."""

_FEWEST_PIXELS = 64
"""A band of fewer pixels that holds one value only may be sound."""
_FIRST_VALUES = 1 << 22


class Strip(NamedTuple):
    """Rows of a scene.

    Attributes:
        observation: `C x h x w`, normalised, every missing value filled.
        missing: where values were missing, `C x h x w`, or `C x ratio h x ratio w` of a pair; None where none were.
        multispectral: `c x ratio h x ratio w`; None for a single cube.
    """

    observation: NDArray[np.float32]
    missing: NDArray[np.bool_] | None
    multispectral: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class FolderScene:
    """One cube of a folder; its values are read when they are asked for.

    Attributes:
        number: its place among the cubes of the folder.
        name: its path below the folder, with forward slashes.
        file: the open cube.
        match: its bands against the network's.
        rule: normalisation, not `checkpoint`.
        nan: what to do with values that are missing: NaN, infinite, or marked by the file.
        setting: what to change where the values are on another scale, for the sentence.

    Raises:
        ValueError: if the file holds 8-bit values where the rule expects 16 bits, or the like.
    """

    number: int
    name: str
    file: CubeFile
    match: BandMatch
    rule: str
    nan: MaskRule
    setting: str = f"data.init_args.normalisation to another of {RULES}"

    def __post_init__(self) -> None:
        """Refuse a file whose integers cannot reach the value that a `scale` rule takes for white."""
        if self.rule.startswith("scale:"):
            check_depth(self.file, normalisation_of(self.rule, None).white)

    @cached_property
    def statistics(self) -> Statistics | None:
        """What a pass over the whole cube finds in the bands drawn on; None, without a pass, where nothing needs it.

        Raises:
            ValueError: if the cube holds no value that is not missing, or its file is damaged.
        """
        if self._pass is None:
            return None
        places = np.flatnonzero(np.isin(self.match.used, self._fed.used))
        return self._pass.over(places)

    @cached_property
    def avoided(self) -> tuple[int, ...]:
        """Numbers of the file's bands that are not drawn on, though the network's bands need them.

        The file calls them bad, or they hold one value everywhere, or none at all. A cube all of whose bands are such
        is taken as it is.

        Raises:
            ValueError: as `statistics`.
        """
        return self._bad if len(self._bad) < len(self.match.used) else ()

    @property
    def all_bad(self) -> bool:
        """Whether the file calls all bands that are needed bad, or they hold one value everywhere.

        Raises:
            ValueError: as `statistics`.
        """
        return len(self._bad) == len(self.match.used)

    @cached_property
    def _bad(self) -> tuple[int, ...]:
        """Numbers of the needed bands of the file that are bad, or hold one value everywhere, or none at all."""
        used, found = self.match.used, set(self.file.bad_bands)
        if self._pass is not None and math.prod(self.file.shape[1:]) >= _FEWEST_PIXELS:
            found |= set(used[self._pass.lows >= self._pass.highs].tolist())
        elif self._pass is not None:
            found |= set(used[~np.isfinite(self._pass.lows)].tolist())
        return tuple(sorted(found & set(used.tolist())))

    @cached_property
    def _fed(self) -> BandMatch:
        """The match that the network is fed by: neighbours in place of the avoided bands."""
        return self.match.without(self.avoided, self.file.wavelengths or ())

    @cached_property
    def _pass(self) -> Statistics | None:
        """The pass over all bands that the match uses."""
        fills = self.nan == "keep" and self.file.may_lack_values
        if not fills and not reads_all_values(self.rule) and not self._suspect():
            return None
        return measured(self.file, self.match.used, fills)

    def _suspect(self) -> bool:
        """Tell from the first rows whether a band may hold one value everywhere, so that most cubes are read once."""
        bands, height, width = self.file.shape
        rows = min(height, max(1, _FIRST_VALUES // (bands * width)))
        values = self.file.window(0, 0, rows, width)[self.match.used]
        mask = self.file.missing(0, 0, values)
        lows, highs = extremes(values, np.zeros(values.shape, np.bool_) if mask is None else mask)
        return bool((lows >= highs).any())

    @property
    def ratio(self) -> int:
        """Pixels of the finest image along one of the file: 1, as there is no other image."""
        return 1

    @property
    def phase(self) -> float:
        """Where the middle of a pixel lies in its block of finer ones: 0, as there are none."""
        return 0.0

    @property
    def caption(self) -> str:
        """What is seen: empty, as single cubes are restored without words."""
        return ""

    @property
    def template(self) -> CubeFile:
        """The file whose format and facts the restored cube takes over."""
        return self.file

    @property
    def told(self) -> str:
        """What a restored cube is said to be made from."""
        return self.file.path.name

    @property
    def cube_files(self) -> tuple[CubeFile, ...]:
        """The files that it is read from."""
        return (self.file,)

    @property
    def normalisation(self) -> Normalisation:
        """The map from the file's values to the network's."""
        return normalisation_of(self.rule, self.statistics)

    def strip(self, row: int, height: int) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
        """Read rows over the whole width.

        Args:
            row: first row.
            height: number of rows.

        Returns:
            The network's bands, `C x height x W`, normalised and with every missing value filled; and, if there were
            any, where they are missing in the file.

        Raises:
            ValueError: for missing values under the rule `refuse`, values that are not on the network's scale, or a
                damaged file.
        """
        return self.window(row, 0, height, self.file.shape[2])

    def window(
        self, row: int, column: int, height: int, width: int
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
        """Read a part of the cube; see `strip`.

        Args:
            row: first row.
            column: first column.
            height: number of rows.
            width: number of columns.
        """
        used = self.match.used
        stored = self.file.window(row, column, height, width)
        stored = stored if len(used) == len(stored) else stored[used]
        mask = self.file.missing(row, column, stored)
        values = stored.astype(np.float32, copy=False)
        if mask is not None:
            self._fill(stored, values, mask, row, column)
        normalisation = self.normalisation
        if normalisation.offset:
            values -= np.float32(normalisation.offset)
        if normalisation.scale != 1.0:
            values /= np.float32(normalisation.scale)
        fed = self._fed.narrowed(used).apply(values)
        self._check_scale(fed)
        return fed, None if mask is None else self.match.narrowed(used).missing(mask)

    def _fill(
        self, stored: NDArray[Any], values: NDArray[np.float32], mask: NDArray[np.bool_], row: int, left: int
    ) -> None:
        """Put each band's median in place of what is missing.

        Raises:
            ValueError: under the rule `refuse`.
        """
        statistics = self.statistics
        if self.nan == "refuse" or statistics is None:
            band, first, column = np.argwhere(mask)[0].tolist()
            value = stored[band, first, column]
            what = (
                "NaN or infinite values"
                if not np.isfinite(value)
                else f"missing values ({self.file.marks.shown(stored[mask])})"
            )
            raise InputError(
                f"The cube {self.file.path} holds {what}, the first in band {int(self.match.used[band])} at row "
                f"{row + first}, column {left + column}: repair it, or set data.init_args.nan to keep, which gives the "
                "network the band's median there and writes them back as missing."
            )
        for plane, holes, median in zip(values, mask, statistics.medians, strict=True):
            plane[holes] = median

    def beside(self, file: CubeFile) -> "FolderScene":
        """Return another cube of the same ground, brought to the network by this one's rules and statistics.

        Raises:
            ValueError: if it has another size.
        """
        if file.shape != self.file.shape:
            raise InputError(
                f"The clean cube {file.path} has {' x '.join(map(str, file.shape))} values where {self.file.path} has "
                f"{' x '.join(map(str, self.file.shape))}: give cubes of the same size."
            )
        other = replace(self, file=file)
        # Its own would scale it differently.
        other.__dict__["statistics"] = self.statistics
        return other

    def _check_scale(self, values: NDArray[np.float32]) -> None:
        # Minimum and maximum, as an array of absolute values would be another strip in memory.
        largest = max(float(values.max()), -float(values.min()))
        if largest > LARGEST:
            raise InputError(
                f"The cube {self.file.path} reaches {largest:g} after the normalisation {self.rule!r}, where the "
                f"network expects values in [0, 1]{self._stated_scale()}: set {self.setting}."
            )

    def _stated_scale(self) -> str:
        """What the file says about the scale of its values, for a sentence."""
        facts = self.file.metadata
        if (factor := facts.get("reflectance scale factor")) is not None:
            return f" (its header says reflectance scale factor = {factor})"
        names = {name.lower(): value for name, value in facts.items()}
        if (factor := names.get("scale_factor")) is not None:
            return f" (its attributes say scale_factor = {factor})"
        return " (its metadata say a scale for each band)" if 'role="scale"' in facts.get("GDAL_METADATA", "") else ""
