"""The scenes of a data set: which there are, how they are read, checked, cropped and cached."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal

from datamodules.captions import CaptionError, check_regions, load_captions
from datamodules.degradations import Degradation, NonIIDGaussian
from datamodules.scenes import MappedScene, Scene
from datamodules.scenes.cache import SceneCache
from datamodules.scenes.checks import check_names, check_scene
from datamodules.scenes.crop import centre_crop
from datamodules.scenes.expected import Expected
from datamodules.scenes.measured import MeasuredKind, check_measured, check_same_grid
from datamodules.scenes.readers import CubeFile
from hyperalign.captions import RegionCaption
from hyperalign.errors import InputError
from hyperalign.folders import cache_folder

__all__ = ["SceneLibrary", "Subset"]

Subset = Literal["training", "validation", "observed", "unobserved"]
"""Training and validation belong to the role source, observed and unobserved to the role target."""


class SceneLibrary(ABC):
    """Clean scenes of one sensor, through a memory-mapped cache, with what was measured beside them.

    A subclass says which scenes there are and reads one; see `datamodules.CAVE`.

    Args:
        role: `source` or `target`.
        subsets: the scenes of each subset; None takes the data set's default.
        degradation: the task, whose scale the size of every scene is a multiple of; None is non-iid Gaussian noise.
        crop: side of the centre crop of every scene in pixels; None uses whole scenes.
        captions: caption file of the scenes (see `datamodules.captions`); None takes the packaged one, if there is one.
        cache: folder for memory-mapped cubes; None is the user's cache folder.

    Raises:
        InputError: for an unknown role.
    """

    def __init__(
        self,
        *,
        role: Literal["source", "target"],
        subsets: Mapping[Subset, list[str] | None],
        degradation: Degradation | None,
        crop: int | None,
        captions: str | None,
        cache: str | None,
    ) -> None:
        super().__init__()
        if role not in ("source", "target"):
            raise InputError(f"The role {role!r} is neither 'source' nor 'target': choose one of them.")
        self.role = role
        self.degradation = degradation if degradation is not None else NonIIDGaussian()
        self.crop = crop
        self.captions = captions
        self.cache = SceneCache((Path(cache) if cache else cache_folder()) / "clean" / type(self).__name__)
        self._asked = dict(subsets)

    packaged_captions: ClassVar[str | None] = None
    """Name of the packaged caption file of this data set."""
    measured_kinds: ClassVar[tuple[MeasuredKind, ...]] = ()
    """What was measured beside the clean scenes and is used instead of simulating it; `read_measured` reads it."""

    @property
    @abstractmethod
    def wavelengths(self) -> tuple[float, ...]:
        """Centres of the bands in nm, in the order of the cube's bands."""

    @abstractmethod
    def scene_names(self) -> tuple[str, ...]:
        """Return the names of all scenes that exist, without reading them."""

    @abstractmethod
    def read_scene(self, name: str) -> Scene:
        """Read one scene from its own files, whole and clean."""

    @abstractmethod
    def fingerprint(self, name: str) -> str:
        """Return a text that changes when the source files of a scene do; cheap, as it is asked for at every start."""

    def read_measured(self, name: str, kind: MeasuredKind) -> Scene:
        """Read what was measured beside a scene, on the scene's grid, for every kind in `measured_kinds`.

        Raises:
            ValueError: if nothing of this kind is measured here.
        """
        raise InputError(f"{type(self).__name__} has no measured {kind} of {name!r}: leave it out of `measured_kinds`.")

    def has_clean(self, name: str) -> bool:
        """Tell whether there is a clean cube of a scene; where observations are measured, there may be none."""
        return True

    def expected(self) -> Expected:
        """Return what a complete download holds and where to get it; by default nothing is known of it."""
        return Expected()

    def crop_of(self, name: str) -> int | None:
        """Return the side of a scene's centre crop in pixels, None for the whole scene; by default `crop` for all."""
        return self.crop

    def source_files(self, name: str) -> Sequence[Path]:
        """Return the files that a scene is read from, in a fixed order; by default none are named.

        Raises:
            FileNotFoundError: if the scene is not there.
        """
        return ()

    def default_names(self, subset: Subset) -> Sequence[str]:
        """Return the scenes of a subset that was not given: all that its counterpart does not name, or none."""
        if subset in ("validation", "unobserved"):
            return ()
        counterpart = self.names("validation" if subset == "training" else "unobserved")
        return [name for name in self.scene_names() if name not in counterpart]

    def canonical_name(self, name: str) -> str:
        """Return the one name of a scene that may be written in several ways."""
        return name

    def names(self, subset: Subset) -> tuple[str, ...]:
        """Return the scene names of a subset, given or default.

        Raises:
            ValueError: naming scenes that do not exist or are named twice.
            FileNotFoundError: if the data set is not there.
        """
        asked = self._asked[subset]
        names = [self.canonical_name(name) for name in (self.default_names(subset) if asked is None else asked)]
        return check_names(names, self.scene_names(), subset, type(self).__name__)

    def scenes(self, names: Sequence[str]) -> list[MappedScene]:
        """Return clean scenes through the memory-mapped cache, read, checked and cropped where it has none.

        Raises:
            ValueError: if a scene is damaged or breaks a rule of `check_scene`.
            FileNotFoundError: if files are missing.
            OSError: if the cache cannot be written.
        """
        captions, scale = self._scene_captions(), self.degradation.scale
        mapped = (
            self.cache.mapped(name, self._key(name, self.crop_of(name), scale), partial(self._prepared, name))
            for name in map(self.canonical_name, names)
        )
        return [self._complete(scene, captions) for scene in mapped]

    def measured(self, name: str) -> dict[MeasuredKind, MappedScene]:
        """Return what was measured beside a scene, cropped like it, without opening the clean scene.

        Raises:
            ValueError: if an image is damaged, or is an observation in a task that changes the size.
            FileNotFoundError: if files are missing.
        """
        name, scale = self.canonical_name(name), self.degradation.scale
        if "observation" in self.measured_kinds and scale != 1:
            raise InputError(
                f"The observations of {type(self).__name__} are measured at the size of the scenes, but the "
                f"degradation {type(self.degradation).__name__} has the scale {scale}: choose one with the scale 1."
            )
        key = self._key(name, self.crop_of(name), scale)
        return {
            kind: cache.mapped(name, key, partial(self._prepared_measured, name, kind))
            for kind, cache in self._measured_caches().items()
        }

    def prepared(self, name: str, verify: bool = False) -> MappedScene | None:
        """Return the clean scene from the cache, None where it, or what was measured beside it, has no sound cube yet.

        Args:
            name: name of the scene.
            verify: compare every byte with its checksum, where otherwise size and time of a file are trusted; a damaged
                file is forgotten, so that it is made again.

        Raises:
            ValueError: if its files cannot be told apart.
            FileNotFoundError: if files are missing.
        """
        name = self.canonical_name(name)
        key = self._key(name, self.crop_of(name), self.degradation.scale)
        measured = [cache.find(name, key, verify) for cache in self._measured_caches().values()]
        clean = self.cache.find(name, key, verify)
        return None if any(image is None for image in measured) else clean

    def _measured_caches(self) -> dict[MeasuredKind, SceneCache]:
        # Beside the folder of the clean cubes, so that a path tells which of the two a file is.
        above, owner = self.cache.folder.parents[1], type(self).__name__
        return {kind: SceneCache(above / kind / owner) for kind in self.measured_kinds}

    def _key(self, name: str, crop: int | None, multiple: int) -> str:
        """Return everything that the cached cube of a scene depends on."""
        return f"{self.fingerprint(name)}\ncrop {crop} multiple {multiple}"

    def _scene_captions(self) -> dict[str, str]:
        """Caption of each scene, given or packaged."""
        name = self.captions if self.captions is not None else self.packaged_captions
        return {} if name is None else load_captions(name, type(self).__name__)

    def _prepared(self, name: str) -> Scene:
        # A crop is cut from the whole scene where that has been prepared, so that files are decoded once.
        part = (self.crop_of(name), self.degradation.scale)
        whole = None if part == (None, 1) else self.cache.find(name, self._key(name, None, 1))
        return check_scene(centre_crop(self.read_scene(name) if whole is None else whole.load(), *part))

    def _prepared_measured(self, name: str, kind: MeasuredKind) -> Scene:
        image = centre_crop(self.read_measured(name, kind), self.crop_of(name), self.degradation.scale)
        return check_measured(image, kind)

    def told_of(self, scene: MappedScene, captions: Mapping[str, str]) -> str:
        """Return the caption of a clean scene, with the boxes of regions in its own pixels.

        Args:
            scene: the clean scene.
            captions: by name, as they are given.
        """
        return captions.get(scene.name, scene.caption)

    @staticmethod
    def check_caption(name: str, caption: str, image: MappedScene | CubeFile) -> None:
        """Refuse a caption of which a region has no pixel of an image, which is opened for captions with regions alone.

        Raises:
            CaptionError: naming the region.
        """
        if isinstance(caption, RegionCaption):
            check_regions(name, caption, *image.shape[1:])

    def _complete(self, scene: MappedScene, captions: Mapping[str, str]) -> MappedScene:
        """Give a clean scene its caption and what was measured beside it."""
        measured = self.measured(scene.name)
        caption = self.told_of(scene, captions)
        if isinstance(caption, RegionCaption) and self.crop_of(scene.name) is not None:
            raise CaptionError(
                f"The caption of {scene.name} has regions, which lie in the whole scene: leave data.crop out, or give "
                "a caption file without regions."
            )
        self.check_caption(scene.name, caption, scene)
        check_same_grid(scene, measured)
        return replace(
            scene,
            caption=caption,
            observation=measured.get("observation"),
            multispectral=measured.get("multispectral"),
        )
