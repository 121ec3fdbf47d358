"""Several data sets of the same bands as one, to train on all of them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from datamodules.base import SceneDataModule, Subset
from datamodules.scenes import MappedScene, Scene
from datamodules.scenes.cache import SceneCache
from datamodules.scenes.expected import Expected
from datamodules.scenes.measured import MeasuredKind
from hyperalign.errors import InputError


class CombinedScenes(SceneDataModule):
    """Scenes of several data sets with the same wavelengths, each read as its own DataModule does.

    Scenes are named by their data set, `CAVE_balloons`; a second data set of one class is `CAVE2_balloons`. Training
    patches are drawn from all scenes equally often. Of the members' own options those count that say what is read:
    root, split, the lists of scenes, normalisation, cache. Role, degradation and seed are those given here, and so are
    crop and cache, where given.

    Args:
        members: the data sets.
        **options: see `SceneDataModule`; lists of scenes have the prefixes, a caption file is for `CombinedScenes`, and
            without one the members' captions are taken.

    Raises:
        ValueError: for no members, or members with other wavelengths.
    """

    def __init__(self, members: list[SceneDataModule], **options: Any) -> None:  # noqa: ANN401
        super().__init__(**options)
        if not members:
            raise InputError("CombinedScenes has no members: give at least one DataModule.")
        for member in members[1:]:
            if member.wavelengths != members[0].wavelengths:
                raise InputError(
                    f"The bands of {_bands(members[0])} and {_bands(member)} differ, so no network can be trained on "
                    "both: combine data sets of the same wavelengths."
                )
        self.members: dict[str, SceneDataModule] = {}
        for member in members:
            name = type(member).__name__
            count = sum(type(other) is type(member) for other in self.members.values())
            self.members[f"{name}{count + 1}" if count else name] = member
            member.role, member.seed, member.degradation = self.role, self.seed, self.degradation
            if self.crop is not None:
                member.crop = self.crop
            if options.get("cache"):
                member.cache = SceneCache(Path(options["cache"]) / "clean" / name)

    @property
    def split(self) -> str:
        """The members with their splits, for tables."""
        parts = (f"{prefix} {getattr(member, 'split', '')}".strip() for prefix, member in self.members.items())
        return " + ".join(parts)

    @property
    def wavelengths(self) -> tuple[float, ...]:
        """The members' common wavelengths."""
        return next(iter(self.members.values())).wavelengths

    def scene_names(self) -> tuple[str, ...]:
        """Return the members' scenes with their prefixes."""
        return tuple(f"{prefix}_{name}" for prefix, member in self.members.items() for name in member.scene_names())

    def canonical_name(self, name: str) -> str:
        """Return the prefix with the one name that the member has for a scene."""
        prefix, separator, rest = name.partition("_")
        return f"{prefix}_{self.members[prefix].canonical_name(rest)}" if separator and prefix in self.members else name

    def default_names(self, subset: Subset) -> Sequence[str]:
        """Return what the members take."""
        return [f"{prefix}_{name}" for prefix, member in self.members.items() for name in member.names(subset)]

    def scenes(self, names: Sequence[str]) -> list[MappedScene]:
        """Return clean scenes through the members' caches.

        Raises:
            ValueError: if a scene is damaged.
            FileNotFoundError: if files are missing.
        """
        captions = self._scene_captions()
        found = []
        for name in map(self.canonical_name, names):
            member, own = self._member(name)
            scene = member.scenes([own])[0]
            found.append(replace(scene, name=name, caption=captions.get(name, scene.caption)))
        return found

    def measured(self, name: str) -> dict[MeasuredKind, MappedScene]:
        """Return what was measured beside a scene."""
        name = self.canonical_name(name)
        member, own = self._member(name)
        return {kind: replace(image, name=name) for kind, image in member.measured(own).items()}

    def hidden(self) -> set[tuple[str, ...]]:
        """Return the last folders of the members' clean target cubes."""
        pairs = (self._member(name) for name in (*self.names("observed"), *self.names("unobserved")))
        return {("clean", type(member).__name__, own) for member, own in pairs}

    def prepared(self, name: str, verify: bool = False) -> MappedScene | None:
        """Return the clean scene from its member's cache, None where it has no sound cube; see `SceneDataModule`."""
        name = self.canonical_name(name)
        member, own = self._member(name)
        scene = member.prepared(own, verify)
        return None if scene is None else replace(scene, name=name)

    def read_scene(self, name: str) -> Scene:
        """Read one scene as its member does."""
        member, own = self._member(name)
        return replace(member.read_scene(own), name=name)

    def fingerprint(self, name: str) -> str:
        """Return the member's text."""
        member, own = self._member(name)
        return member.fingerprint(own)

    def source_files(self, name: str) -> Sequence[Path]:
        """Return the member's files of a scene."""
        member, own = self._member(name)
        return member.source_files(own)

    def expected(self) -> Expected:
        """Return all scenes that the members expect."""
        parts = {prefix: member.expected() for prefix, member in self.members.items()}
        return Expected(
            names=tuple(f"{prefix}_{name}" for prefix, part in parts.items() for name in part.names),
            where="; ".join(part.where for part in parts.values() if part.where),
            folders=tuple(folder for part in parts.values() for folder in part.folders),
            archives=tuple(archive for part in parts.values() for archive in part.archives),
            sizes={name: size for part in parts.values() for name, size in part.sizes.items()},
            checksums={
                f"{prefix}_{name}": one for prefix, part in parts.items() for name, one in part.checksums.items()
            },
            remarks=tuple(remark for part in parts.values() for remark in part.remarks),
        )

    def _member(self, name: str) -> tuple[SceneDataModule, str]:
        """Return the member that has a scene, and the scene's name there."""
        prefix, _, own = name.partition("_")
        if prefix not in self.members:
            raise InputError(
                f"The scene {name!r} belongs to none of {', '.join(self.members)}: write the data set before it, as "
                f"{next(iter(self.members))}_{name}."
            )
        return self.members[prefix], own


def _bands(member: SceneDataModule) -> str:
    bands = member.wavelengths
    return f"{type(member).__name__} ({len(bands)} of {min(bands):g} to {max(bands):g} nm)"
