"""Measured cubes, or parts of them, each read from its file when it is asked for: one at a time is in memory."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import overload

import torch
from torch import Tensor
from torch.utils.data import Dataset

from datamodules.sampling.batches import Sample
from datamodules.sampling.crops import Crop
from datamodules.scenes import Observation
from datamodules.scenes.folder_scene import FolderScene
from datamodules.scenes.readers import find_cubes
from hyperalign.errors import InputError, MissingFileError

_log = logging.getLogger(__name__)


class ReadCubes(Sequence[Tensor]):
    """The cubes of observations, of which one at a time is in memory."""

    def __init__(self, observations: Sequence[Observation]) -> None:
        self.observations = observations

    def __len__(self) -> int:
        """Return their number."""
        return len(self.observations)

    @overload
    def __getitem__(self, index: int) -> Tensor: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Tensor]: ...

    def __getitem__(self, index: int | slice) -> Tensor | Sequence[Tensor]:
        """Read one, or hand on some."""
        chosen = self.observations[index]
        return chosen.cube if isinstance(chosen, Observation) else ReadCubes(chosen)


class ScoredCubes(Dataset[Sample]):
    """Parts of cubes, with the same part of the clean cube where there is one."""

    def __init__(
        self, parts: Sequence[tuple[FolderScene, str, Crop, FolderScene | None]], wavelengths: tuple[float, ...]
    ) -> None:
        self.parts, self.wavelengths = tuple(parts), wavelengths

    def __len__(self) -> int:
        """Return the number of parts."""
        return len(self.parts)

    def __getitem__(self, index: int) -> Sample:
        """Return one part."""
        scene, name, crop, clean = self.parts[index]
        place = (crop.row, crop.column, crop.height, crop.width)
        observation = torch.from_numpy(scene.window(*place)[0])
        sample = Sample(observation=observation, caption="", name=name, wavelengths=self.wavelengths)
        if clean is not None:
            sample["target"] = torch.from_numpy(clean.window(*place)[0])
        return sample


def shows_something(cube: Tensor) -> bool:
    """Tell whether any band of `C x H x W` varies: no black, saturated or otherwise constant cube does."""
    flat = cube.flatten(1)
    return bool((flat.amax(dim=1) > flat.amin(dim=1)).any())


def clean_files(root: Path, names: Sequence[str]) -> dict[str, Path]:
    """Return the clean cubes of a folder by the names of the observed ones, whatever their formats; some may lack one.

    Args:
        root: the folder.
        names: of the observed cubes, as paths below theirs.

    Raises:
        MissingFileError: if there is no folder, or no clean cube of any name.
        InputError: where two files could be the clean cube.
    """
    if not root.is_dir():
        raise MissingFileError(f"There is no folder {root}: set data.init_args.clean_root to clean cubes.")
    found: dict[str, Path] = {}
    for name in names:
        folder = root / Path(name).parent
        paths = find_cubes(folder) if folder.is_dir() else []
        stem = Path(name).with_suffix("").name
        same = [path for path in paths if path.name == Path(name).name] or [path for path in paths if path.stem == stem]
        if len(same) > 1:
            raise InputError(
                f"Both {same[0].name} and {same[1].name} in {folder} could be the clean cube of {name}: leave one "
                "of them."
            )
        if same:
            found[name] = same[0]
    if lacking := [name for name in names if name not in found]:
        if not found:
            raise MissingFileError(
                f"The folder {root} holds no clean cube called {Path(lacking[0]).with_suffix('')}, nor any other "
                "of the observed ones: name clean cubes as those, or leave out data.init_args.clean_root."
            )
        _log.warning(
            "%s holds no clean cube for %d of %d cubes (%s), which are not scored.",
            root,
            len(lacking),
            len(names),
            ", ".join(lacking[:3]) + (", ..." if len(lacking) > 3 else ""),
        )
    return found
