"""One cube of a user's folder as a network is given it: its bands matched, its values normalised, its NaN filled."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from datamodules.scenes.band_matching import BandMatch
from datamodules.scenes.normalisation import (
    LARGEST,
    RULES,
    Normalisation,
    Statistics,
    measured,
    normalisation_of,
    reads_all_values,
)
from datamodules.scenes.readers import CubeFile, check_depth
from hyperalign.errors import InputError

MaskRule = Literal["refuse", "keep"]
"""What to do with values that are NaN or infinite: refuse the cube, or fill them for the network and write NaN."""


@dataclass(frozen=True)
class FolderScene:
    """One cube of a folder; its values are read when they are asked for.

    Attributes:
        number: its place among the cubes of the folder.
        name: its path below the folder, with forward slashes.
        file: the open cube.
        match: its bands against the network's.
        rule: normalisation, not `checkpoint`.
        nan: what to do with values that are NaN or infinite.

    Raises:
        ValueError: if the file holds 8-bit values where the rule expects 16 bits, or the like.
    """

    number: int
    name: str
    file: CubeFile
    match: BandMatch
    rule: str
    nan: MaskRule

    def __post_init__(self) -> None:
        """Refuse a file whose integers cannot reach the value that a `scale` rule takes for white."""
        if self.rule.startswith("scale:"):
            check_depth(self.file, normalisation_of(self.rule, None).white)

    @cached_property
    def statistics(self) -> Statistics | None:
        """What a pass over the whole cube finds; None, without a pass, where the rules do not need it.

        Raises:
            ValueError: if the cube holds no finite value, or its file is damaged.
        """
        fills = self.nan == "keep" and np.issubdtype(self.file.dtype, np.floating)
        if not fills and not reads_all_values(self.rule):
            return None
        return measured(self.file, self.match.used, fills)

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
            The network's bands, `C x height x W`, normalised and without NaN; and, if there were any, where they draw
            on values that were missing.

        Raises:
            ValueError: for NaN or infinite values under the rule `refuse`, values that are not on the network's scale,
                or a damaged file.
        """
        used = self.match.used
        window = self.file.window(row, 0, height, self.file.shape[2])
        values = window if len(used) == len(window) else window[used]
        values = values.astype(np.float32, copy=False)
        mask = self._filled(values, row) if np.issubdtype(window.dtype, np.floating) else None
        normalisation = self.normalisation
        if normalisation.offset:
            values -= np.float32(normalisation.offset)
        if normalisation.scale != 1.0:
            values /= np.float32(normalisation.scale)
        self._check_scale(values)
        match = self.match if len(used) == len(window) else self._match_of_used
        return match.apply(values), None if mask is None else match.missing(mask)

    @cached_property
    def _match_of_used(self) -> BandMatch:
        """The match as seen from the bands that are used, so that the others are not carried along."""
        return BandMatch(self.match.weights[:, self.match.used], self.match.kept, self.match.wavelengths)

    def _filled(self, values: NDArray[np.float32], row: int) -> NDArray[np.bool_] | None:
        """Put each band's median in place of what is not finite, and return where that was; None if nowhere."""
        mask = ~np.isfinite(values)
        if not mask.any():
            return None
        statistics = self.statistics
        if self.nan == "refuse" or statistics is None:
            band, first, column = np.argwhere(mask)[0].tolist()
            raise InputError(
                f"The cube {self.file.path} holds NaN or infinite values, the first in band "
                f"{int(self.match.used[band])} at row {row + first}, column {column}: repair it, or set "
                "data.init_args.nan to keep, which gives the network the band's median there and writes NaN."
            )
        for plane, holes, median in zip(values, mask, statistics.medians, strict=True):
            plane[holes] = median
        return mask

    def _check_scale(self, values: NDArray[np.float32]) -> None:
        # Minimum and maximum, as an array of absolute values would be another strip in memory.
        largest = max(float(values.max()), -float(values.min()))
        if largest > LARGEST:
            raise InputError(
                f"The cube {self.file.path} reaches {largest:g} after the normalisation {self.rule!r}, where the "
                f"network expects values in [0, 1]: set data.init_args.normalisation to another of {RULES}."
            )
