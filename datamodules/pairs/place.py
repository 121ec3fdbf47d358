"""In which format a fused cube is written: with the bands of one image, and on the ground where the other lies."""

from __future__ import annotations

from datamodules.scenes.facts.geotiff import GDAL_METADATA, GDAL_NODATA, PLACE_TAGS
from datamodules.scenes.readers import CubeFile, EnviCube, TiffCube

__all__ = ["fused_template"]

_ENVI_PLACE = (
    "map info",
    "pixel size",
    "geo points",
    "projection info",
    "coordinate system string",
    "x start",
    "y start",
    "rpc info",
)
_ENVI_VALUES = (
    "reflectance scale factor",
    "data ignore value",
    "data gain values",
    "data offset values",
    "default bands",
    "bbl",
    "fwhm",
    "band names",
    "wavelength",
    "wavelength units",
)
_ASCII = 2


def fused_template(hyperspectral: CubeFile, multispectral: CubeFile) -> CubeFile:
    """Return the cube whose format and facts a fused one takes over.

    It is written as the multispectral image is where that is ENVI or TIFF, the formats that have a place on the ground,
    and otherwise as the hyperspectral one. What is said about bands and values is the hyperspectral image's, what is
    said about the place the multispectral one's.

    Args:
        hyperspectral: the image of many bands.
        multispectral: the image of fine pixels.
    """
    size = multispectral.shape[1:]
    if isinstance(hyperspectral, EnviCube) and isinstance(multispectral, EnviCube):
        envi = hyperspectral.as_template(*size)
        envi.entries = {key: value for key, value in hyperspectral.entries.items() if key not in _ENVI_PLACE}
        envi.entries |= {key: value for key, value in multispectral.entries.items() if key in _ENVI_PLACE}
        return envi
    if isinstance(hyperspectral, TiffCube) and isinstance(multispectral, TiffCube):
        # Read while the size is still that of the file.
        hyperspectral.mask()
        tiff = hyperspectral.as_template(*size)
        tiff.tags = (
            *(tag for tag in hyperspectral.tags if tag[0] not in PLACE_TAGS),
            *(tag for tag in multispectral.tags if tag[0] in PLACE_TAGS),
        )
        return tiff
    if not isinstance(multispectral, EnviCube | TiffCube):
        return hyperspectral
    other = multispectral.as_template(*size, with_centres=False)
    if isinstance(other, EnviCube):
        other.entries = {key: value for key, value in other.entries.items() if key not in _ENVI_VALUES}
        other.entries |= {"data ignore value": mark} if (mark := _mark_of(hyperspectral)) else {}
    else:
        other.tags = tuple(tag for tag in other.tags if tag[0] not in (GDAL_METADATA, GDAL_NODATA))
        other.tags += ((GDAL_NODATA, _ASCII, len(mark) + 1, mark),) if (mark := _mark_of(hyperspectral)) else ()
    return other


def _mark_of(file: CubeFile) -> str:
    """What a file says that missing values are, as text; empty where it says nothing of the kind."""
    mark = file.marks.written(file.dtype) if file.marks.declared else None
    return "" if mark is None else f"{mark:.17g}"
