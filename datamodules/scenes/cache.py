"""Memory-mapped cubes on disk: each scene is decoded once, then read by windows."""

import contextlib
import hashlib
import json
import logging
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.scenes.scene import MappedScene, Scene
from hyperalign.errors import HyperalignError
from hyperalign.files import file_digest, parsed_json, replacing

_log = logging.getLogger(__name__)
_VERSION = 1


class CacheWriteError(HyperalignError, OSError):
    """The cache cannot be written, which concerns every scene and not the one that was tried."""


@dataclass(frozen=True)
class SceneCache:
    """A folder of float32 `.npy` cubes, each with a small record beside it.

    A cube and its record are written under a temporary name and renamed, so a killed process leaves nothing half
    written, and several processes may build the same scene at once: both write the same bytes. The record holds the
    file's size, time and sha256. A file whose size and time are the recorded ones is taken as it is; any other is
    checked in full, and a damaged one is built again with a warning.

    Attributes:
        folder: where the cubes lie, one folder a scene.
    """

    folder: Path

    def mapped(self, name: str, key: str, build: Callable[[], Scene]) -> MappedScene:
        """Return a scene as a file that is read by windows, built first if it is not there or damaged.

        Args:
            name: name of the scene.
            key: everything the cube depends on: its source files, the crop.
            build: reads the scene; called only if there is no sound file.

        Raises:
            CacheWriteError: one sentence, if the folder cannot be written.
            Exception: whatever `build` raises.
        """
        scene = self.find(name, key)
        return self._build(name, *self._files(name, key), build()) if scene is None else scene

    def find(self, name: str, key: str, verify: bool = False) -> MappedScene | None:
        """Return a scene that has been built, None if it is not there or damaged.

        Args:
            name: name of the scene.
            key: everything the cube depends on.
            verify: compare the file's bytes with their sha256 even if its size and time are the recorded ones.
        """
        return self._recorded(name, *self._files(name, key), verify)

    def remove_remains(self, age: float = 3600.0) -> None:
        """Delete the temporary files that killed processes left.

        Args:
            age: seconds since the last write; a younger file may belong to a process that is still writing it.
        """
        for path in self.folder.glob("*/.*"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > age:
                    path.unlink()

    def _files(self, name: str, key: str) -> tuple[Path, Path]:
        """Return where the cube and its record are."""
        digest = hashlib.sha256(f"{_VERSION}\n{name}\n{key}".encode()).hexdigest()[:20]
        return self.folder / name / f"{digest}.npy", self.folder / name / f"{digest}.json"

    def _recorded(self, name: str, cube: Path, record: Path, verify: bool = False) -> MappedScene | None:
        """Return the scene if its files are there and sound."""
        try:
            facts = parsed_json(record.read_text())
            status = cube.stat()
            if status.st_size != facts["bytes"]:
                _log.warning("The cached cube %s has a wrong size: it is built again.", cube)
                return None
            if (verify or status.st_mtime_ns != facts["modified"]) and not _is_sound(cube, facts):
                _log.warning("The cached cube %s is damaged: it is built again.", cube)
                # Whoever does not verify must not take it either.
                record.unlink(missing_ok=True)
                return None
            scene = MappedScene(name, cube, tuple(facts["wavelengths"]), facts["caption"])
            if list(scene.shape) != facts["shape"]:
                _log.warning("The cached cube %s has a wrong shape: it is built again.", cube)
                return None
        except OSError:
            # Not there or not readable: building says why, if it cannot be written either.
            return None
        except (ValueError, KeyError, TypeError) as error:
            _log.warning("The cached cube %s has a damaged file or record (%s): it is built again.", cube, error)
            return None
        return scene

    def _build(self, name: str, cube: Path, record: Path, scene: Scene) -> MappedScene:
        """Write the cube, then its record."""
        array: NDArray[np.float32] = scene.cube.contiguous().numpy()
        try:
            cube.parent.mkdir(parents=True, exist_ok=True)
            with replacing(cube) as file:
                np.save(file, array, allow_pickle=False)
            status = cube.stat()
            facts = {
                "shape": array.shape,
                "bytes": status.st_size,
                "modified": status.st_mtime_ns,
                "sha256": file_digest(cube),
                "wavelengths": scene.wavelengths,
                "caption": scene.caption,
            }
            with replacing(record) as file:
                file.write(json.dumps(facts, indent=1).encode())
        except OSError as error:
            raise CacheWriteError(
                f"The cube of scene {name!r} cannot be written to the cache folder {cube.parent} "
                f"({error.strerror or error}): free space there, or name another folder with `cache`."
            ) from error
        return MappedScene(name, cube, scene.wavelengths, scene.caption)


def _is_sound(cube: Path, facts: Mapping[str, Any]) -> bool:
    """Compare a file's bytes with the digest in its record; older records hold a CRC-32."""
    if "sha256" in facts:
        return bool(file_digest(cube) == facts["sha256"])
    value = 0
    with cube.open("rb") as file:
        while block := file.read(1 << 22):
            value = zlib.crc32(block, value)
    return bool(value == facts["checksum"])
