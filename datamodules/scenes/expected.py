"""What a complete download holds, so that `lightning prepare` can tell what is missing and what is another copy."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_BLOCK = 1 << 22


@dataclass(frozen=True)
class Expected:
    """What is known of the complete data set; every part may be left out, and then it is not checked.

    Attributes:
        names: all scenes, by their names in the DataModule.
        shape: bands, height and width of every whole scene.
        where: where to get it, as a clause that ends a sentence: "download ... and set `root` to it".
        folders: where archives and files with a known size are looked for.
        archives: file names of the archives that the data set is distributed in.
        sizes: bytes of files by their names, archives included.
        checksums: SHA-256 of the contents of a scene's files one after the other (`checksum`), by scene.
        remarks: sentences about what else was found incomplete.
    """

    names: tuple[str, ...] = ()
    shape: tuple[int, int, int] | None = None
    where: str = ""
    folders: tuple[Path, ...] = ()
    archives: tuple[str, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    checksums: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def wrong_sizes(self) -> list[str]:
        """Return a sentence for every file of a known size that has another one."""
        found = [path for folder in self.folders for name in self.sizes if (path := folder / name).is_file()]
        return [
            f"{path} has {size:,} bytes instead of {self.sizes[path.name]:,}: download it again."
            for path in dict.fromkeys(found)
            if (size := path.stat().st_size) != self.sizes[path.name]
        ]

    def packed(self) -> list[Path]:
        """Return the archives that lie there, unpacked or not."""
        paths = [folder / name for folder in self.folders for name in self.archives]
        return [path for path in dict.fromkeys(paths) if path.is_file()]


def checksum(paths: Sequence[Path]) -> str:
    """Return the SHA-256 of the files' contents one after the other, as hexadecimal digits.

    Raises:
        OSError: if a file cannot be read.
    """
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()


def listing(folder: Path, most: int = 5) -> str:
    """Return the first names in a folder, as what was found where something else was looked for."""
    names = sorted(entry.name for entry in folder.iterdir())
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(names[:most]) or "nothing") + more
