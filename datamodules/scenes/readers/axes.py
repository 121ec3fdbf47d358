"""Which axis of an array holds the bands: said by its user, by the format, or told from the sizes, never guessed."""

from collections.abc import Sequence

from hyperalign.errors import InputError

AXES = ("CHW", "CWH", "HWC", "HCW", "WHC", "WCH")
"""How a user spells the axes of an array: C bands, H rows, W columns, in the order in which the file shows them."""


def axis_order(
    shape: Sequence[int], axes: str | None, default: str | None, bands: int | None, what: str
) -> tuple[int, int, int]:
    """Return the axes of a three-dimensional array that hold bands, rows and columns.

    Args:
        shape: the array's shape as the file shows it.
        axes: what the user says, one of `AXES`; taken as it is.
        default: what the format says (`HWC` for MATLAB); None where it says nothing, as NumPy and HDF5: then the axis
            as long as the list of wavelengths, else the clearly shortest one, first or last, holds the bands.
        bands: number of wavelengths that are known.
        what: the array and its file, for the sentence.

    Raises:
        ValueError: one sentence: for other spellings, an array that has not three axes, axes that cannot be told,
            a number of wavelengths that fits no axis or another one, and sizes that look transposed.
    """
    sizes = " x ".join(map(str, shape))
    if axes is not None and axes.upper() not in AXES:
        raise InputError(f"The axes {axes!r} of {what} are none of {', '.join(AXES)}: spell them as one of these.")
    if len(shape) != 3 or min(shape) < 1:
        raise InputError(
            f"{what[:1].upper()}{what[1:]} has shape ({sizes}) where three axes (bands, rows, columns) are expected: "
            "name another variable, or save it as a cube."
        )
    if axes is not None:
        order = _order(axes.upper())
    elif default is not None:
        order = _order(default)
        _refuse_transposed(shape, order, default, bands, what)
    else:
        order = _told(shape, bands, what)
    if bands is not None and shape[order[0]] != bands:
        raise InputError(
            f"{what[:1].upper()}{what[1:]} has {shape[order[0]]} bands ({sizes}) but {bands} wavelengths: give one "
            "wavelength per band, or another `axes`."
        )
    return order


def _order(axes: str) -> tuple[int, int, int]:
    return axes.index("C"), axes.index("H"), axes.index("W")


def _told(shape: Sequence[int], bands: int | None, what: str) -> tuple[int, int, int]:
    """Tell the axes of an array of a format that does not say them."""
    fitting = [axis for axis in (0, 2) if shape[axis] == bands]
    if bands is None or (len(fitting) != 1 and bands in shape):
        # Twice as long at least: 100 x 102 x 100 is left to its user.
        fitting = [
            axis for axis in (0, 2) if all(2 * shape[axis] <= shape[other] for other in range(3) if other != axis)
        ]
    if len(fitting) == 1:
        return _order("CHW" if fitting[0] == 0 else "HWC")
    if bands is not None and bands not in shape:
        raise InputError(
            f"{what[:1].upper()}{what[1:]} has no axis of {bands} ({' x '.join(map(str, shape))}), the number of its "
            "wavelengths: give one wavelength per band."
        )
    raise InputError(
        f"The bands of {what} of {' x '.join(map(str, shape))} can be on more than one axis: give `axes`, CHW if they "
        "are first, HWC if they are last, HCW if they are between rows and columns."
    )


def _refuse_transposed(
    shape: Sequence[int], order: tuple[int, int, int], default: str, bands: int | None, what: str
) -> None:
    """Refuse sizes that do not look as the format says: wavelengths of another axis, one thin side and many bands."""
    if bands is not None and shape[order[0]] == bands:
        return
    depth, sides = shape[order[0]], sorted((shape[order[1]], shape[order[2]]))
    matched = bands is not None and bands in shape
    # A true thin strip has more columns than bands; a cube lying on its side has as many of both.
    lying = bands is None and 2 * sides[0] <= sides[1] <= 2 * depth and sides[0] < depth
    if not (matched or lying):
        return
    thin = list(shape).index(bands if matched and bands is not None else min(shape))
    likely = {0: "CHW", 1: "HCW", 2: "HWC"}[thin]
    read = " x ".join(f"{size} {_WORDS[letter]}" for size, letter in zip(shape, default, strict=True))
    raise InputError(
        f"The axes of {what} seem to be exchanged, as the format says {read}: set `axes` to {likely} if the "
        f"{shape[thin]} are its bands, or to {default} if they are not."
    )


_WORDS = {"C": "bands", "H": "rows", "W": "columns"}
