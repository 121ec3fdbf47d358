"""The colour photographs inside the installed scikit-image wheel, read as files: nothing is ever downloaded."""

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from datamodules.spectra.bands import Array
from hyperalign.errors import MissingFileError


@dataclass(frozen=True)
class Plot:
    """A rectangle of one photograph; plots of different roles never overlap.

    Attributes:
        file: file name in `skimage/data`.
        box: left, top, right, bottom in pixels of the photograph (right and bottom excluded).
        caption: what is seen.
    """

    file: str
    box: tuple[int, int, int, int]
    caption: str


PLOTS: dict[str, Plot] = {
    "astronaut": Plot("astronaut.png", (0, 0, 320, 512), "an astronaut in an orange suit beside a flag"),
    "chelsea": Plot("chelsea.png", (0, 0, 451, 300), "the face of a tabby cat"),
    "coffee": Plot("coffee.png", (0, 0, 600, 400), "a cup of espresso on a wooden table"),
    "tissue": Plot("ihc.png", (0, 0, 512, 512), "stained tissue under a microscope"),
    "retina": Plot("retina.jpg", (0, 0, 1411, 1411), "the retina of an eye"),
    "galaxies": Plot("hubble_deep_field.jpg", (0, 0, 1000, 872), "galaxies before a black sky"),
    # Validation: the right part of the astronaut's photograph (shuttle, helmet) and a photograph of its own.
    "shuttle": Plot("astronaut.png", (320, 0, 512, 512), "a model of a space shuttle and a helmet"),
    "rocket": Plot("rocket.jpg", (0, 0, 640, 427), "a rocket on its launch pad at dusk"),
    # Target. The right view of the stereo pair shows the same things and is used nowhere.
    "motorcycle": Plot("motorcycle_left.png", (0, 0, 741, 500), "a motorcycle in a garage full of things"),
}
"""The plots by name."""


def photograph_path(file: str) -> Path:
    """Return where a photograph lies in the installed scikit-image.

    Raises:
        FileNotFoundError: if scikit-image is missing or its wheel lacks the file.
    """
    package = find_spec("skimage")
    if package is None or package.origin is None:
        raise MissingFileError("The sample scenes need the photographs inside scikit-image: install scikit-image.")
    path = Path(package.origin).parent / "data" / file
    if not path.is_file():
        raise MissingFileError(
            f"The photograph {file} is not in {path.parent}: install scikit-image from its wheel, which holds it."
        )
    return path


def linear_light(encoded: Array) -> Array:
    """Return the linear intensity of sRGB-encoded values in [0, 1] (IEC 61966-2-1)."""
    decoded: Array = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return decoded


@lru_cache(maxsize=4)
def _plot_pixels(name: str) -> Array:
    """A plot at full size in linear light, 3 x H x W."""
    plot = PLOTS[name]
    with Image.open(photograph_path(plot.file)) as picture:
        pixels = np.asarray(picture.convert("RGB").crop(plot.box), dtype=np.float64) / 255.0
    linear = linear_light(pixels).transpose(2, 0, 1).copy()
    linear.setflags(write=False)
    return linear


def _resized(picture: Array, factor: float) -> Array:
    """Bicubic resampling (antialiased when shrinking), 3 x H x W in [0, 1]."""
    if factor == 1.0:
        return picture
    size = (max(1, round(picture.shape[2] * factor)), max(1, round(picture.shape[1] * factor)))
    planes = [Image.fromarray(plane.astype(np.float32)).resize(size, Image.Resampling.BICUBIC) for plane in picture]
    return np.clip(np.stack([np.asarray(plane, dtype=np.float64) for plane in planes]), 0.0, 1.0)


def photograph(name: str, shrink: float = 1.0, enlarge: float = 1.0) -> Array:
    """Return a plot in linear light, resampled; 3 x H x W in [0, 1].

    Shrinking averages over the pixels it merges, so it also takes away sensor noise and JPEG blocks: at 0.5 the noise
    left is a fraction of a grey level, as in a cube measured with long exposures. Enlarging afterwards gives the soft
    edges that such cubes have, as their focus is a compromise between the bands.

    Args:
        name: a key of `PLOTS`.
        shrink: factor on the size of the plot, at most 1.
        enlarge: factor on the size of the shrunk plot, at least 1.

    Raises:
        FileNotFoundError: as `photograph_path`.
    """
    return _resized(_resized(_plot_pixels(name), shrink), enlarge)
