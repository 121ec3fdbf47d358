"""A user's own cubes, of any sensor, size and format, to be adapted to and restored without ground truth."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from datamodules.folder_target import FolderTarget
from datamodules.sampling.tile_stream import StreamedScene, TileStream, Tiling
from datamodules.scenes.band_matching import SlidingRule, band_centres, match_bands
from datamodules.scenes.facts.limits import MAX_BYTES
from datamodules.scenes.failures import incomplete
from datamodules.scenes.folder_scene import FolderScene, MaskRule
from datamodules.scenes.normalisation import CHECKPOINT, check_rule
from datamodules.scenes.readers import READERS, CubeFile, open_cube, survey
from hyperalign.errors import InputError, MissingFileError
from hyperalign.ranks import world

_log = logging.getLogger(__name__)


class Folder(FolderTarget):
    """Any folder of cubes, without ground truth: to restore them, and, in the role `target`, to adapt to them first.

    In the role target **the files are the observations**: nothing is degraded before proxies are made of them, and no
    clean file is asked for. The task degrades proxies and synthesised scenes in training; without one, noise is
    estimated from the observations (`datamodules.EstimatedNoise`). Scenes larger than a crop are looked at in crops.

    Formats are those of `datamodules.scenes.readers.READERS`, mixed as they come. Cubes are taken by name, opened one
    after another and read in strips. Their bands are matched by wavelength to those that the network was trained on,
    which the checkpoint records; nothing is matched by number. Pairs for fusion are `datamodules.FusionPair`.

    Beside `callbacks.PredictionWriter`, which is what `hyperalign predict --output` adds, scenes come in tiles; without
    it they come whole, normalised and with the network's bands.

    Args:
        root: the folder; or one cube, a file or a folder of PNG files.
        recursive: also take the cubes of all folders below.
        key: name of the variable, for formats that hold several (MATLAB, HDF5, NPZ); None takes the only cube.
        axes: order of the axes as the files show them (`CHW`, `HWC`, ...), where their format does not say it.
        wavelengths: centres of the cubes' bands in nm, for files that do not say them: a list, or `FIRST:LAST:COUNT`
            for equally spaced ones.
        trained_wavelengths: centres of the bands that the network was trained on, for checkpoints that do not record
            them; written in the same way.
        bands: what to do with a cube of other bands: `refuse`; `select` the nearest band for each of the network's; or
            `interpolate` linearly between neighbours. The output then has the network's bands
            (see `datamodules.scenes.band_matching.match_bands`). Or `windows`: the cube keeps its bands, and the
            network slides along them in overlapping groups of its own number (`lightning_modules.SlidingBands`).
        normalisation: how a cube's values come to [0, 1]; undone in the output. `none`; `maximum` of the cube; `minmax`
            of the cube; `scale:VALUE`, for example `scale:10000`; `checkpoint`, the rule of the training data as the
            checkpoint records it, `none` if it records none.
        nan: values that are missing, that is NaN, infinite, or marked by the file (`data ignore value`, GDAL's no-data
            tag and masks, `_FillValue`): `refuse` the cube; or `keep` them: the network is given the median of their
            band, and the output holds the same mark wherever it draws on one.
        missing: values that mark missing ones, beside those that the files declare; None takes the usual ones, -9999,
            -32768 and the fill values of netCDF; an empty list none.
        include: patterns of the cubes to take, as `*.tif` or `day1/*`, of names or of paths below the folder; what is
            asked for is taken whatever its name says it is. None takes all but masks, previews, geometry, class maps,
            spectral libraries and references of line cameras, which are told by their names.
        exclude: patterns of cubes to leave out.
        strict: stop at the first cube that cannot be used; otherwise it is named at the end, after the others.
        max_bytes: bytes that one cube that must be decoded whole, or one strip of another, may take in memory.
        **target: how the folder is adapted to, see `FolderTarget`.

    Raises:
        ValueError: for a setting that is unknown.
    """

    def __init__(
        self,
        root: str,
        *,
        recursive: bool = False,
        key: str | None = None,
        axes: str | None = None,
        wavelengths: list[float] | str | None = None,
        trained_wavelengths: list[float] | str | None = None,
        bands: SlidingRule = "refuse",
        normalisation: str = CHECKPOINT,
        nan: MaskRule = "refuse",
        missing: list[float] | None = None,
        include: list[str] | None = None,
        exclude: list[str] | None = None,
        strict: bool = False,
        max_bytes: int = MAX_BYTES,
        **target: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(**target)
        _check_choice("bands", bands, get_args(SlidingRule))
        _check_choice("nan", nan, get_args(MaskRule))
        self.root = Path(root)
        self.recursive = recursive
        self.key, self.axes = key, axes
        self.bands, self.nan = bands, nan
        self._asked_rule = check_rule(normalisation)
        self.cube_wavelengths = _centres(wavelengths, "wavelengths")
        # Groups of neighbouring bands are taken as they come, so nothing is matched to wavelengths.
        self.trained_wavelengths = None if bands == "windows" else _centres(trained_wavelengths, "trained_wavelengths")
        if max_bytes < 1:
            raise InputError(f"Folder got max_bytes={max_bytes}: give at least 1.")
        self.missing, self.max_bytes = missing, max_bytes
        self.include, self.exclude = tuple(include or ()), tuple(exclude or ())
        self.strict = strict
        self.assumed: Mapping[str, Any] = {}
        """What is taken for the network's training data without a Trainer; see `open_scenes`."""
        self.scenes: tuple[FolderScene, ...] = ()
        self.failures: dict[str, str] = {}
        """One sentence for each cube that cannot be used, by its name; of this rank."""
        self._tiling: Tiling | None = None
        self._collects = False
        self._wanted: Callable[[FolderScene], bool] = lambda _: True
        # With more ranks than cubes some ranks have none.
        self.allow_zero_length_dataloader_with_multiple_devices = True

    def setup(self, stage: str) -> None:
        """Have the Trainer's network slide along the bands, where that is the rule.

        Args:
            stage: of the Trainer; it does not matter.

        Raises:
            InputError: for a module that cannot.
        """
        module = getattr(self.trainer, "lightning_module", None)
        if self.bands != "windows" or module is None or self._network_data().get("any_bands"):
            return
        if not hasattr(module, "slide_along_bands"):
            raise InputError(
                f"{type(module).__name__} cannot slide along the bands of a cube: set data.init_args.bands to select "
                "or interpolate."
            )
        module.slide_along_bands()

    @property
    def streamed(self) -> tuple[FolderScene, ...]:
        """The cubes of the present prediction by their numbers."""
        return self.scenes

    @property
    def delivers(self) -> tuple[str, ...]:
        """Keys of a batch that a restorer may need."""
        return ("observation",)

    def stream(self, tiling: Tiling | None, wanted: Callable[[Any], bool]) -> None:
        """Say how scenes are cut and which are wanted; a later `predict_dataloader` follows it.

        Whoever says it also tells what is in `failures`: without, the first cube that cannot be used ends the run.

        Args:
            tiling: how scenes are cut; None leaves them whole.
            wanted: tells, of every scene, whether it is to be restored.
        """
        self._tiling, self._wanted, self._collects = tiling, wanted, True

    def paths(self) -> list[Path]:
        """Return the cubes by name, without opening them.

        Raises:
            FileNotFoundError: if there is no such folder, or no cube in it; the sentence lists what was looked for and
                what was found.
        """
        if not self.root.exists():
            raise MissingFileError(f"There is no folder {self.root}: set data.init_args.root to your cubes.")
        if self.root.is_file():
            return [self.root]
        found = survey(self.root, recursive=self.recursive, include=self.include, exclude=self.exclude)
        self.failures |= {self._name(path): sentence for path, sentence in found.unreadable.items()}
        told = found.told()
        if not found.cubes and not found.unreadable:
            endings = ", ".join(ending for ending in READERS if ending not in ("", ".hdr"))
            listed = ", ".join(sorted(entry.name for entry in self.root.iterdir())[:5]) or "nothing"
            raise MissingFileError(
                f"No cube is in {self.root}, which holds {listed}; looked for files ending in {endings}, ENVI images "
                f"with a header and folders of PNG files{f' (left out: {told})' if told else ''}: set "
                "data.init_args.root to another folder, data.init_args.recursive to true, or name the cubes with "
                "data.init_args.include."
            )
        if told:
            _log.warning("Left out of %s: %s.", self.root, told)
        return found.cubes

    def open_scenes(self, trained_on: Mapping[str, Any]) -> tuple[FolderScene, ...]:
        """Open every cube and match its bands, reading headers only, so that a wrong one is refused before any work.

        Args:
            trained_on: `wavelengths` and `normalisation` of the network's training data, each where it is known;
                `any_bands` where the restorer takes any, and every cube keeps its own.

        Raises:
            ValueError: if a cube is damaged, has no wavelengths or other bands; or the network's are not known.
            FileNotFoundError: if there is no cube.
        """
        trained = self._trained_wavelengths(trained_on)
        rule = self._rule(trained_on)
        self.failures = {}
        scenes: list[FolderScene] = []
        first: Exception | None = None
        for path in self.paths():
            try:
                scenes.append(self._open(path, len(scenes), trained, rule))
            except (ValueError, OSError, ImportError) as error:
                if self.strict or path == self.root:
                    raise
                first = first or error
                self.failures[self._name(path)] = str(error)
        if not scenes and first is not None and len(set(self.failures.values())) == 1:
            raise first
        if not scenes or (self.strict and self.failures):
            raise incomplete(self.failures, "opened")
        return tuple(scenes)

    def fail(self, scene: StreamedScene, error: Exception) -> None:
        """Take note of a cube that cannot be used, so that the others go on.

        Args:
            scene: the cube.
            error: why.

        Raises:
            Exception: the error itself, if the first one is to stop the run.
        """
        if self.strict or not self._collects or (len(self.scenes) == 1 and not self.failures):
            raise error
        self.failures[scene.name] = str(error)

    def opened(self, path: Path) -> CubeFile:
        """Open one cube by the settings of this folder, whatever its bands are.

        Raises:
            HyperalignError: if it cannot be read.
        """
        return open_cube(
            path,
            key=self.key,
            axes=self.axes,
            wavelengths=self.cube_wavelengths,
            missing=self.missing,
            max_bytes=self.max_bytes,
        )

    def _open(self, path: Path, number: int, trained: tuple[float, ...], rule: str) -> FolderScene:
        """Open one cube and match its bands."""
        file = self.opened(path)
        if file.wavelengths is None:
            raise InputError(
                f"The cube {path} does not say its wavelengths: give data.init_args.wavelengths, the centres of "
                f"its {file.shape[0]} bands in nm, as a list or as FIRST:LAST:COUNT."
            )
        self._check_count(path, file)
        rule_of_bands = "refuse" if self.bands == "windows" else self.bands
        match = match_bands(file.wavelengths, trained or file.wavelengths, rule_of_bands, f"The cube {path}")
        if match.held:
            _log.warning(
                "%s has no band at %s nm: the network is given its outermost band there, and these bands are not "
                "written.",
                path,
                ", ".join(f"{centre:g}" for centre in match.held),
            )
        return FolderScene(number, self._name(path), file, match, rule, self.nan)

    def _check_count(self, path: Path, file: CubeFile) -> None:
        """Refuse a cube of fewer bands than a network needs that takes any number above."""
        fewest = self._network_data().get("fewest_bands", 0)
        if file.shape[0] < fewest:
            raise InputError(
                f"The cube {path} has {file.shape[0]} bands, fewer than the {fewest} of the network: set "
                "data.init_args.bands to interpolate, or use a checkpoint for fewer bands."
            )

    def _name(self, path: Path) -> str:
        return path.name if path == self.root else path.relative_to(self.root).as_posix()

    def predict_dataloader(self) -> TileStream:
        """Return this rank's scenes that are wanted, in tiles or whole.

        Raises:
            ValueError: as `open_scenes`.
            FileNotFoundError: if there is no cube.
        """
        trained_on = self._network_data()
        self.scenes = self.open_scenes(trained_on)
        if self.failures and not self._collects:
            raise incomplete(self.failures, "opened")
        ranks, rank = world()
        mine = [scene for scene in self.scenes[rank::ranks] if self._wanted(scene)]
        return TileStream(mine, self._trained_wavelengths(trained_on), self._tiling, self.fail)

    def present_scenes(self) -> tuple[FolderScene, ...]:
        """Open every cube for the network of the Trainer; see `open_scenes`.

        A cube that cannot be used is named in a warning and left out, unless `strict`.
        """
        scenes = self.open_scenes(self._network_data())
        for name, sentence in sorted(self.failures.items()):
            _log.warning("The cube %s is left out: %s", name, sentence)
        return scenes

    @property
    def wavelengths(self) -> tuple[float, ...]:
        """Centres in nm of the bands that the network is given; empty where nothing says them yet.

        A network that takes any bands is given those of the cubes that it is adapted to.

        Raises:
            InputError: where such cubes differ in their bands.
        """
        known = self._network_data()
        recorded = known.get("wavelengths") or self.trained_wavelengths
        if recorded or self.role != "target" or not known.get("any_bands"):
            return tuple(recorded or ())
        return self._common_wavelengths()

    def _common_wavelengths(self) -> tuple[float, ...]:
        """Return the band centres in nm that all cubes share.

        Raises:
            InputError: where two cubes differ: one network is adapted to one sensor.
        """
        first, *others = [scene for scenes in self._subsets.values() for scene in scenes]
        for other in others:
            if other.match.wavelengths != first.match.wavelengths:
                raise InputError(
                    f"The cubes {first.name} and {other.name} differ in their bands: adapt to cubes of one sensor, or "
                    "give data.init_args.trained_wavelengths and data.init_args.bands to bring them to the same ones."
                )
        return tuple(first.match.wavelengths)

    @property
    def normalisation(self) -> str:
        """The rule by which the cubes come to [0, 1], which a checkpoint adapted to them records."""
        return self._rule(self._network_data())

    def open_clean(self, path: Path) -> CubeFile:
        """Open a clean cube as the observed ones are opened."""
        return open_cube(path, key=self.key, axes=self.axes, wavelengths=self.cube_wavelengths)

    def _network_data(self) -> Mapping[str, Any]:
        """Return what the Trainer's network was trained on, what is assumed of it without a Trainer."""
        module = getattr(self.trainer, "lightning_module", None)
        recorded: Mapping[str, Any] = getattr(module, "trained_on", self.assumed)
        return recorded

    def _trained_wavelengths(self, trained_on: Mapping[str, Any]) -> tuple[float, ...]:
        recorded: Sequence[float] | None = trained_on.get("wavelengths")
        if recorded is None and self.trained_wavelengths is None and not trained_on.get("any_bands"):
            raise InputError(
                "The checkpoint does not record the wavelengths that it was trained on: give "
                "data.init_args.trained_wavelengths, in nm, as a list or as FIRST:LAST:COUNT."
            )
        if recorded is None:
            return self.trained_wavelengths or ()
        if self.trained_wavelengths not in (None, tuple(recorded)):
            raise InputError(
                f"The checkpoint records that it was trained on {len(recorded)} bands from {min(recorded):g} to "
                f"{max(recorded):g} nm, other ones than data.init_args.trained_wavelengths: leave that setting out."
            )
        return tuple(recorded)

    def _rule(self, trained_on: Mapping[str, Any]) -> str:
        if self._asked_rule != CHECKPOINT:
            return self._asked_rule
        return check_rule(str(trained_on.get("normalisation", "none")))


def _check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise InputError(f"Folder got {name}={value!r}: choose one of {', '.join(choices)}.")


def _centres(given: list[float] | str | None, name: str) -> tuple[float, ...] | None:
    return None if given is None else band_centres(given, f"data.init_args.{name}")
