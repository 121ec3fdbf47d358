"""Under which names files keep what they say, whatever their format."""

import re
from collections.abc import Sequence

_CENTRES = {
    *("wavelength", "wvl", "wl", "lambda", "wave", "wavelist", "wavelengthlist", "wavelengtharray"),
    *(
        "centerwavelength",
        "centrewavelength",
        "centralwavelength",
        "bandcenter",
        "bandcentre",
        "band",
        "bandwavelength",
    ),
    *("wavelengthcenter", "wavelengthcentre", "centerwave", "centralwavelengthum", "centralwavelengthnm"),
}
_WIDTHS = {"fwhm", "bandwidth", "fwhmum", "fwhmnm"}
_MARKS = {"fillvalue", "missingvalue", "nodata", "nodatavalue", "nodataval", "dataignorevalue", "ignorevalue"}


def _plain(name: str) -> str:
    """Return a name without the signs and capitals in which files differ."""
    return re.sub(r"[\s_\-.]+", "", name.lower())


def names_centres(name: str) -> bool:
    """Tell whether a variable of this name holds the centres of the bands (`wavelength`, `Wvl`, `bands`, `wl_nm`)."""
    plain = _plain(name)
    return any(
        stem in _CENTRES
        for stem in (plain, plain.removesuffix("s"), re.sub(r"s?(nm|um|microns?|micrometers)$", "", plain))
    )


def is_plain_list_of_bands(name: str) -> bool:
    """Tell whether a variable of this name may as well hold the bands' numbers."""
    return _plain(name) in ("band", "bands")


def names_widths(name: str) -> bool:
    """Tell whether a variable of this name holds the widths of the bands."""
    plain = _plain(name)
    return plain in _WIDTHS or plain.removesuffix("s") in _WIDTHS


def names_unit(name: str, centres: str, beside: bool = False) -> bool:
    """Tell whether a variable of this name holds the word for the unit of the centres of the bands.

    Args:
        name: of the variable.
        centres: name of the variable of the centres.
        beside: whether it stands beside the centres alone, so that `units` are theirs.
    """
    plain = _plain(name).removesuffix("s")
    return plain in ("wavelengthunit", f"{_plain(centres)}unit", f"{_plain(centres).removesuffix('s')}unit") or (
        beside and plain == "unit"
    )


def names_missing(name: str) -> bool:
    """Tell whether a variable or attribute of this name holds the mark of missing values (`_FillValue`, `nodata`)."""
    return _plain(name) in _MARKS


def names_good_bands(name: str) -> bool:
    """Tell whether a variable of this name says 1 of good bands, 0 of bad ones (`bbl`, EMIT's `good_wavelengths`)."""
    return _plain(name) in ("bbl", "badbandlist", "goodwavelengths", "goodbands")


def bad_bands(stated: Sequence[object] | None, bands: int) -> tuple[int, ...]:
    """Return the bands that a list of ones and zeros calls bad; none if it is no such list, or calls all of them bad.

    Args:
        stated: one number or text per band.
        bands: number of bands.
    """
    if stated is None or len(stated) != bands:
        return ()
    try:
        bad = tuple(band for band, value in enumerate(stated) if float(str(value)) == 0)
    except ValueError:
        return ()
    return bad if len(bad) < bands else ()
