"""How the two images of a pair lie on each other: whole blocks of one place on the ground, or one sentence.

The place is what the headers say of it, where both do.
"""

from __future__ import annotations

from dataclasses import dataclass

from datamodules.scenes.readers import CubeFile, EnviCube, TiffCube
from hyperalign.errors import InputError

__all__ = ["Ground", "check_ground", "ground_of", "pair_ratio"]

_PIXEL_SCALE, _TIE_POINTS, _GEO_KEYS = 33550, 33922, 34735
_RASTER_TYPE, _POINT, _PROJECTED = 1025, 2, 3072
_UTM = {326: "North", 327: "South"}
"""EPSG codes of WGS 84 / UTM without their last two digits, which are the zone."""


def pair_ratio(stem: str, hyperspectral: CubeFile, multispectral: CubeFile) -> int:
    """Return how many multispectral pixels lie along a hyperspectral one.

    Args:
        stem: name of the pair, for the sentence.
        hyperspectral: the image of many bands.
        multispectral: the image of fine pixels.

    Raises:
        InputError: if it is no whole number of at least 1, the same for rows and columns.
    """
    (_, height, width), (_, rows, columns) = hyperspectral.shape, multispectral.shape
    ratio = rows // height
    if ratio >= 1 and (rows, columns) == (height * ratio, width * ratio):
        return ratio
    sizes = f"The multispectral image of {stem!r} has {rows} x {columns} pixels"
    if rows < height or columns < width:
        if hyperspectral.shape[0] < multispectral.shape[0]:
            raise InputError(
                f"{sizes} and more bands than the hyperspectral one of {height} x {width}: exchange the two files."
            )
        raise InputError(
            f"{sizes}, fewer than the {height} x {width} of the hyperspectral one: crop both to the same ground."
        )
    across, along = columns / width, rows / height
    if abs(across / along - 1) < 0.01:
        nearest = max(1, round(along))
        raise InputError(
            f"{sizes}, which is no multiple of the {height} x {width} of the hyperspectral one (a ratio of "
            f"{along:.3g}): resample it to {nearest * height} x {nearest * width}, or crop both to the same ground."
        )
    raise InputError(
        f"{sizes}, which is no multiple of the {height} x {width} of the hyperspectral one ({along:.3g} along rows, "
        f"{across:.3g} along columns): register and crop both to the same ground."
    )


@dataclass(frozen=True)
class Ground:
    """The outline of an image in map coordinates.

    Attributes:
        system: the coordinates' system, as far as it can be compared between formats.
        left: of the first column's outer border.
        top: of the first row's outer border.
        width: of a pixel.
        height: of a pixel.
        rows: of pixels.
        columns: of pixels.
    """

    system: str
    left: float
    top: float
    width: float
    height: float
    rows: int
    columns: int

    def apart(self, other: Ground) -> float:
        """Return by how many of its own pixels the borders of another image lie off, at most."""
        right, bottom = self.left + self.columns * self.width, self.top - self.rows * self.height
        beyond, below = other.left + other.columns * other.width, other.top - other.rows * other.height
        across = max(abs(self.left - other.left), abs(right - beyond)) / self.width
        along = max(abs(self.top - other.top), abs(bottom - below)) / self.height
        return max(across, along)


def check_ground(stem: str, hyperspectral: CubeFile, multispectral: CubeFile) -> None:
    """Refuse a pair whose headers place its images more than a hyperspectral pixel apart.

    Where one of them does not say its place, or in a way that cannot be compared, nothing is refused.

    Args:
        stem: name of the pair, for the sentence.
        hyperspectral: the image of many bands.
        multispectral: the image of fine pixels.

    Raises:
        InputError: if their borders differ.
    """
    coarse, fine = ground_of(hyperspectral), ground_of(multispectral)
    if coarse is None or fine is None or coarse.system != fine.system or (apart := coarse.apart(fine)) <= 1.0:
        return
    raise InputError(
        f"By their headers the borders of the two images of {stem!r} lie up to {apart:.3g} hyperspectral pixels apart: "
        "crop both to the same ground, or set data.init_args.register to true, which finds the shift itself."
    )


def ground_of(file: CubeFile) -> Ground | None:
    """Return the outline of an image; None where its header has none, or a turned one."""
    try:
        found = _of_envi(file) if isinstance(file, EnviCube) else _of_tiff(file) if isinstance(file, TiffCube) else None
    except (ValueError, TypeError, IndexError):
        return None
    return found if found is not None and min(found.width, found.height) > 0 else None


def _of_envi(file: EnviCube) -> Ground | None:
    entry = file.entries.get("map info")
    if not isinstance(entry, list) or entry[0].strip().lower() == "arbitrary":
        return None
    words = [word.strip() for word in entry]
    if any(word.lower().startswith("rotation") and float(word.partition("=")[2]) for word in words):
        return None
    column, row, x, y, width, height = map(float, words[1:7])
    system = " ".join(words[:1] + words[7:9]) if words[0] == "UTM" else words[0]
    return Ground(system, x - (column - 1) * width, y + (row - 1) * height, width, height, *file.shape[1:])


def _of_tiff(file: TiffCube) -> Ground | None:
    tags = {code: value for code, _, _, value in file.tags}
    tie = tags.get(_TIE_POINTS)
    if _PIXEL_SCALE not in tags or tie is None or len(tie) != 6:
        return None
    width, height = map(float, tags[_PIXEL_SCALE][:2])
    geo = tags.get(_GEO_KEYS, ())
    keys = {geo[first]: geo[first + 3] for first in range(4, len(geo) - 3, 4) if geo[first + 1] == 0}
    inset = 0.5 if keys.get(_RASTER_TYPE) == _POINT else 0.0
    left, top = tie[3] - (tie[0] + inset) * width, tie[4] + (tie[1] + inset) * height
    code = int(keys.get(_PROJECTED, 0))
    zone = _UTM.get(code // 100)
    system = f"UTM {code % 100} {zone}" if zone else str(sorted(keys.items()))
    return Ground(system, left, top, width, height, *file.shape[1:])
