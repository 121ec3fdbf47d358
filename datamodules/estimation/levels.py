"""What an estimate of noise holds, and its form on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hyperalign.errors import InputError
from hyperalign.files import parsed_json, write_text

_FORMAT = 1


@dataclass(frozen=True)
class BandNoise:
    """The noise of one band of one scene, on the [0, 1] scale.

    Attributes:
        variance: of the Gaussian noise where the signal is 0.
        slope: what a signal of 1 adds to the variance.
        stripe_share: share of the columns (or rows) that are offset.
        stripe_amplitude: offsets are uniform on [-amplitude, amplitude].
        dead_share: share of the columns (or rows) that are dead.
        impulse_share: share of the pixels that hold `low` or `high` instead of the scene.
        salt_share: share of `high` among them.
        low: value of the lower impulses, and of dead lines.
        high: value of the upper impulses.
        missing: whether the whole band is.
    """

    variance: float = 0.0
    slope: float = 0.0
    stripe_share: float = 0.0
    stripe_amplitude: float = 0.0
    dead_share: float = 0.0
    impulse_share: float = 0.0
    salt_share: float = 0.5
    low: float = 0.0
    high: float = 1.0
    missing: bool = False

    @property
    def sigma(self) -> float:
        """Standard deviation of the Gaussian noise where the signal is one half of white, on the [0, 1] scale."""
        return float(max(self.variance + 0.5 * self.slope, 0.0) ** 0.5)


@dataclass(frozen=True)
class SceneNoise:
    """The noise of one scene.

    Attributes:
        name: what the scene is called.
        bands: its bands, in order.
        direction: whether stripes and dead lines run along `columns` or `rows`.
        family: the packaged task that this is, `clean`, or `unlike` all of them.
    """

    name: str
    bands: tuple[BandNoise, ...]
    direction: str = "columns"
    family: str = "unlike"


@dataclass(frozen=True)
class NoiseEstimate:
    """The noise of every observed scene.

    Attributes:
        wavelengths: the band centres in nm.
        scenes: one entry a scene, in the order in which they were given.
    """

    wavelengths: tuple[float, ...]
    scenes: tuple[SceneNoise, ...]

    @property
    def family(self) -> str:
        """What most scenes are; the first of them where several are equally frequent."""
        families = [scene.family for scene in self.scenes]
        return max(families, key=families.count)

    def settings(self) -> dict[str, Any]:
        """Return everything, JSON-able."""
        return {
            "format": _FORMAT,
            "wavelengths": list(self.wavelengths),
            "scenes": [{**asdict(scene), "bands": [asdict(band) for band in scene.bands]} for scene in self.scenes],
        }

    def write(self, path: Path) -> None:
        """Write the estimate as JSON."""
        write_text(path, json.dumps(self.settings(), indent=1) + "\n")


def read_estimate(path: Path) -> NoiseEstimate:
    """Read what `NoiseEstimate.write` wrote, or a person edited.

    Raises:
        InputError: one sentence, if there is no such file or it is no estimate.
    """
    try:
        return estimate_of(parsed_json(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(
            f"The noise estimate {path} cannot be read ({error.strerror}): give the noise.json of an earlier run."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"The file {path} holds no noise estimate ({error}): give the noise.json of an earlier run."
        ) from error


def estimate_of(settings: Mapping[str, Any]) -> NoiseEstimate:
    """Return the estimate that `NoiseEstimate.settings` describes.

    Raises:
        ValueError: for another format.
        KeyError: where an entry is missing.
        TypeError: where an entry is of another type.
    """
    if settings["format"] != _FORMAT:
        raise InputError(f"format {settings['format']} is not {_FORMAT}")
    wavelengths = tuple(float(centre) for centre in settings["wavelengths"])
    scenes = []
    for scene in settings["scenes"]:
        bands = tuple(BandNoise(**band) for band in scene["bands"])
        if len(bands) != len(wavelengths):
            raise InputError(f"the scene {scene['name']!r} has {len(bands)} bands of {len(wavelengths)}")
        scenes.append(SceneNoise(scene["name"], bands, scene["direction"], scene["family"]))
    if not scenes:
        raise InputError("it names no scene")
    return NoiseEstimate(wavelengths, tuple(scenes))
