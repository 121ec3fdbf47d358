"""The sample scenes by name: which plot, which recipe; a source domain and a shifted target domain."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from datamodules.spectra.bands import Array
from datamodules.spectra.illuminants import illuminant
from datamodules.spectra.photographs import PLOTS, photograph
from datamodules.spectra.synthesis import Recipe, spectral_cube
from hyperalign.errors import InputError

_COPIES = {"astronaut": 14, "chelsea": 10, "coffee": 12, "tissue": 6, "retina": 4, "galaxies": 2}

TRAINING: tuple[str, ...] = tuple(
    f"{plot}_{number:02d}" for plot, copies in _COPIES.items() for number in range(1, copies + 1)
)
"""Source scenes to train on."""

VALIDATION: tuple[str, ...] = ("shuttle_01", "shuttle_02", "rocket_01", "rocket_02")
"""Source scenes to validate on: plots that no training scene shows."""

_LARGEST = 256

_TARGET_SHRINK = 0.75
_TILE = 184
# Rows of tiles are 6 pixels apart and columns 2, so that no resampled pixel counts in two tiles.
_TILES: dict[str, tuple[int, int]] = {
    f"motorcycle_{row * 3 + column + 1:02d}": (row * (_TILE + 6), column * (_TILE + 2))
    for row in range(2)
    for column in range(3)
}

OBSERVED: tuple[str, ...] = ("motorcycle_01", "motorcycle_03", "motorcycle_05")
"""Target scenes whose degraded observations adaptation sees."""

UNOBSERVED: tuple[str, ...] = ("motorcycle_02", "motorcycle_04", "motorcycle_06")
"""Target scenes that adaptation never sees."""


@dataclass(frozen=True)
class SampleSettings:
    """What may be chosen about the sample scenes.

    Attributes:
        illuminants: illuminants of the source domain; each scene mixes two of them.
        target_illuminant: illuminant of the target domain, reached at a `target_shift` of 1.
        metamers: strength of the random metamers, 0 to 2; 0 leaves spectra that span three dimensions a scene.
        target_shift: how far the target domain is from the source domain, 0 to 2; at 0 only the photograph differs.
        seed: another seed gives other spectra, hues and exposures for the same photographs.

    Raises:
        ValueError: for an unknown or missing illuminant, or a number outside its range.
    """

    illuminants: tuple[str, ...] = ("equal_energy", "d65", "halogen")
    target_illuminant: str = "warm_led"
    metamers: float = 0.5
    target_shift: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check names and ranges."""
        if not self.illuminants:
            raise InputError("The sample scenes have an empty list of illuminants: name at least one.")
        for name in (*self.illuminants, self.target_illuminant):
            illuminant(name)
        for label, value in (("metamers", self.metamers), ("target_shift", self.target_shift)):
            if not 0.0 <= value <= 2.0:
                raise InputError(f"The sample scenes cannot have `{label}` {value}: choose a number from 0 to 2.")


def generator_of(*keys: int | str) -> np.random.Generator:
    """Return a numpy generator that depends on the keys alone, the same on every machine."""
    digest = hashlib.sha256("\x1f".join(str(key) for key in keys).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "little"))


def source_recipe(settings: SampleSettings, generator: np.random.Generator) -> Recipe:
    """Draw the recipe of a source scene: wide ranges, so that what is trained on it transfers to measured cubes.

    The ranges were chosen by how well locally chosen Wiener filters learned on the source scenes remove noise of 10 to
    70/255 from eight CAVE scenes: 32.0 dB, where filters learned on the other seven CAVE scenes reach 32.7 dB. What
    mattered: smooth illuminants, long correlation lengths, many materials and turned hues. The spectra of all training
    scenes together then need 8 dimensions for 99.9 % of their energy, as those of the eight CAVE scenes do.
    """
    first, second = generator.choice(len(settings.illuminants), size=2)
    share = float(generator.uniform(0.0, 1.0))
    return Recipe(
        light=((settings.illuminants[first], share), (settings.illuminants[second], 1.0 - share)),
        materials=int(generator.integers(14, 43)),
        metamers=settings.metamers * float(generator.uniform(0.4, 1.6)),
        length_scales=(30.0, 180.0),
        hue_spread=float(generator.choice([0.5, 1.5, 3.0])),
        saturation=float(generator.uniform(0.7, 1.8)),
        albedo_spread=float(generator.uniform(0.0, 0.5)),
        contrast=float(generator.uniform(0.8, 1.3)),
        exposure=float(np.exp(generator.uniform(np.log(0.45), np.log(1.0)))),
        band_gain=float(generator.uniform(0.0, 0.03)),
        band_blur=float(generator.uniform(0.0, 0.9)),
    )


def target_recipe(settings: SampleSettings) -> Recipe:
    """Return the recipe of the target domain: one light, one camera, narrower and stronger metamers, less exposure."""
    shift = settings.target_shift
    return Recipe(
        light=(("equal_energy", max(0.0, 1.0 - shift)), (settings.target_illuminant, shift)),
        materials=14,
        metamers=settings.metamers * (1.0 + 0.5 * shift),
        length_scales=(30.0 * 0.8**shift, 180.0 * 0.35**shift),
        hue_spread=0.3 * shift,
        saturation=1.2 + 0.5 * shift,
        albedo_spread=0.3,
        contrast=1.1,
        exposure=0.9 * 0.8**shift,
        band_gain=0.02 + 0.03 * shift,
        band_blur=0.3,
    )


def _source_picture(plot: str, generator: np.random.Generator) -> Array:
    """A plot shrunk to about half its size (less noise, no JPEG blocks) and, mostly, enlarged again (softer edges)."""
    left, top, right, bottom = PLOTS[plot].box
    shorter = min(right - left, bottom - top)
    clean = min(max(0.5, 144.0 / shorter), 256.0 / shorter)
    return photograph(plot, clean, enlarge=float(generator.uniform(1.0, 1.8)))


@lru_cache(maxsize=1)
def _target_cube(settings: SampleSettings) -> NDArray[np.float32]:
    """The whole target photograph as a cube, so that its tiles share their materials."""
    return spectral_cube(
        photograph("motorcycle", _TARGET_SHRINK), target_recipe(settings), generator_of(settings.seed, "target")
    )


def plot_of(name: str) -> str:
    """Return the plot (a key of `PLOTS`) that a sample scene shows.

    Raises:
        ValueError: if no sample scene has this name.
    """
    if name not in TRAINING + VALIDATION + OBSERVED + UNOBSERVED:
        raise InputError(
            f"There is no sample scene called {name!r}: the names run from {TRAINING[0]} to {TRAINING[-1]}, "
            f"then {', '.join(VALIDATION + OBSERVED + UNOBSERVED)}."
        )
    return name.rpartition("_")[0]


def sample_cube(name: str, settings: SampleSettings | None = None) -> NDArray[np.float32]:
    """Return the cube of a sample scene, 31 x H x W float32 in [0, 1] at 400..700 nm step 10.

    The same everywhere up to rounding: draws come from a generator seeded by name and `settings.seed`. (Photographs
    stored as JPEG, which are retina, galaxies and rocket, may differ by a grey level between decoders.)

    Raises:
        ValueError: if no sample scene has this name.
        FileNotFoundError: if the photograph is not in the installed scikit-image.
    """
    settings = settings or SampleSettings()
    plot = plot_of(name)
    if name in _TILES:
        top, left = _TILES[name]
        return np.ascontiguousarray(_target_cube(settings)[:, top : top + _TILE, left : left + _TILE])
    generator = generator_of(settings.seed, "source", name)
    recipe = source_recipe(settings, generator)
    cube = spectral_cube(_source_picture(plot, generator), recipe, generator)
    top, left = (int(generator.integers(0, max(0, side - _LARGEST) + 1)) for side in cube.shape[1:])
    return np.ascontiguousarray(cube[:, top : top + _LARGEST, left : left + _LARGEST])
