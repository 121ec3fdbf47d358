"""How the two images of a pair lie on each other: whole blocks of one place on the ground, or one sentence.

The place is what the headers say of it, where both do.
"""

from __future__ import annotations

from datamodules.scenes.readers import CubeFile
from hyperalign.errors import InputError

__all__ = ["check_ground", "pair_ratio"]


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
    coarse, fine = hyperspectral.ground(), multispectral.ground()
    if coarse is None or fine is None or coarse.system != fine.system or (apart := coarse.apart(fine)) <= 1.0:
        return
    raise InputError(
        f"By their headers the borders of the two images of {stem!r} lie up to {apart:.3g} hyperspectral pixels apart: "
        "crop both to the same ground, or set data.init_args.register to true, which finds the shift itself."
    )
