"""The sample scenes: a source domain and a shifted target domain made from photographs that every machine has."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch

from datamodules.base import SceneDataModule, Subset
from datamodules.scenes import Scene
from datamodules.spectra import (
    OBSERVED,
    TRAINING,
    UNOBSERVED,
    VALIDATION,
    WAVELENGTHS,
    SampleSettings,
    plot_of,
    sample_cube,
)
from datamodules.spectra.photographs import PLOTS, photograph_path

# To be raised whenever a change to `datamodules.spectra` changes a cube, so that cached cubes are made again.
_VERSION = 2

_DEFAULTS: dict[Subset, tuple[str, ...]] = {
    "training": TRAINING,
    "validation": VALIDATION,
    "observed": OBSERVED,
    "unobserved": UNOBSERVED,
}


class SampleScenes(SceneDataModule):
    """31-band cubes (400..700 nm) made from the colour photographs inside the scikit-image wheel; nothing to download.

    A photograph is split into materials; each material's colours become smooth reflectance spectra of exactly that
    colour, changed by random smooth metamers of its own; then the scene is lit and exposed (`datamodules.spectra`).
    Two domains come of it:

    - source (`training`, `validation`): many pictures, hues, metamers, exposures and broad illuminants, wide enough
      for a restorer trained on them to transfer to measured cubes;
    - target (`observed`, `unobserved`): six tiles of one photograph that the source never shows, under one narrower
      illuminant, with narrower and stronger metamers, more saturated and darker. The tiles share their materials, so
      that what is learned on the observed ones helps on the unobserved ones.

    The cubes depend on the arguments below alone, not on `seed`, which fixes observations and patches.

    Args:
        illuminants: illuminants of the source domain (keys of `datamodules.spectra.ILLUMINANTS`); None takes
            equal_energy, d65 and halogen.
        target_illuminant: illuminant of the target domain.
        metamers: strength of the random metamers, 0 to 2; 0 leaves spectra that span three dimensions a scene.
        target_shift: how far the target domain is from the source domain, 0 to 2; at 0 only the photograph differs.
        scene_seed: another seed gives other spectra, hues and exposures for the same photographs.
        **options: see `SceneDataModule`.

    Raises:
        ValueError: for an unknown illuminant or a number outside its range.
    """

    normalisation = "none"
    """The scenes are made in [0, 1]."""

    def __init__(
        self,
        *,
        illuminants: list[str] | None = None,
        target_illuminant: str = "warm_led",
        metamers: float = 0.5,
        target_shift: float = 1.0,
        scene_seed: int = 0,
        **options: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(**options)
        self.settings = SampleSettings(
            illuminants=SampleSettings.illuminants if illuminants is None else tuple(illuminants),
            target_illuminant=target_illuminant,
            metamers=metamers,
            target_shift=target_shift,
            seed=scene_seed,
        )

    @property
    def wavelengths(self) -> tuple[float, ...]:
        """400, 410, ... 700 nm."""
        return WAVELENGTHS

    def scene_names(self) -> tuple[str, ...]:
        """Return the names of all scenes of both domains."""
        return TRAINING + VALIDATION + OBSERVED + UNOBSERVED

    def default_names(self, subset: Subset) -> Sequence[str]:
        """Return the built-in scenes of a subset."""
        return _DEFAULTS[subset]

    def read_scene(self, name: str) -> Scene:
        """Make one scene.

        Raises:
            ValueError: if no scene has this name.
            FileNotFoundError: if the installed scikit-image lacks the photograph.
        """
        plot = PLOTS[plot_of(name)]
        cube = torch.from_numpy(sample_cube(name, self.settings))
        return Scene(name, cube, WAVELENGTHS, plot.caption, {"photograph": plot.file})

    def fingerprint(self, name: str) -> str:
        """Return the version of the recipe, the settings and a hash of the photograph."""
        photograph = photograph_path(PLOTS[plot_of(name)].file).read_bytes()
        return f"{_VERSION}\n{json.dumps(asdict(self.settings))}\n{hashlib.sha256(photograph).hexdigest()}"
