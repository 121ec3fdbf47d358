"""Which files of a folder are cubes: one image a header, hidden, foreign and companion files left out and told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from datamodules.scenes.readers.companions import FOLDERS, companion_kind, envi_companion_kind
from datamodules.scenes.readers.envi import IMAGE_SUFFIXES, EnviCube
from datamodules.scenes.readers.envi_header import is_envi_header, layout_of, read_entries
from datamodules.scenes.readers.png_cube import is_png_stack
from datamodules.scenes.readers.registry import READERS
from hyperalign.errors import MissingFileError
from hyperalign.files import fits_pattern

_SHOWN = 4
_PLURALS = {"no cube": "no cubes", "hidden": "hidden", "not asked for": "not asked for", "excluded": "excluded"}


@dataclass
class Survey:
    """What was found in a folder.

    Attributes:
        cubes: by name.
        left_out: files that are no cubes or were not asked for, and what they are.
        unreadable: what must be a cube but cannot even be opened, and why, in one sentence.
    """

    cubes: list[Path] = field(default_factory=list)
    left_out: dict[Path, str] = field(default_factory=dict)
    unreadable: dict[Path, str] = field(default_factory=dict)

    def told(self) -> str:
        """Return one line that says what was left out; an empty text if nothing was."""
        counts = Counter(self.left_out.values())
        parts = []
        for kind, count in counts.items():
            names = [path.name for path, other in self.left_out.items() if other == kind]
            shown = ", ".join(names[:_SHOWN]) + (f" and {count - _SHOWN} more" if count > _SHOWN else "")
            parts.append(f"{count} {_PLURALS.get(kind, kind if count == 1 else _plural(kind))} ({shown})")
        return "; ".join(parts)


def find_cubes(folder: Path) -> list[Path]:
    """Return every cube of a folder by name: files of a known ending, ENVI images once, folders of PNG files.

    Raises:
        FileNotFoundError: if there is no such folder.
    """
    return survey(folder).cubes


def survey(root: Path, *, recursive: bool = False, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> Survey:
    """Look for the cubes of a folder, without opening them.

    Args:
        root: the folder.
        recursive: also look into the folders below, linked ones included; a circle of links ends.
        include: patterns (`*.tif`, `day1/*`) of which a cube's name or path below the root must match one; what is
            asked for in this way is taken whatever its name says it is.
        exclude: patterns of cubes to leave out.

    Raises:
        FileNotFoundError: if there is no such folder.
    """
    if not root.is_dir():
        raise MissingFileError(f"There is no folder {root}: check the path.")
    found = Survey()
    for folder in _folders(root, found) if recursive else [root]:
        _look_into(folder, root, found, include, exclude)
    if not found.cubes and not found.unreadable and is_png_stack(root):
        return Survey([root])
    found.cubes.sort(key=lambda path: path.relative_to(root).parts)
    return found


def _folders(root: Path, found: Survey) -> Iterator[Path]:
    """Iterate over a folder and all below it, each once: real ones first, then those that only links lead to."""
    seen: set[tuple[int, int]] = set()
    waiting: list[Path] = [root]
    linked: list[Path] = []
    while waiting or linked:
        folder = waiting.pop(0) if waiting else linked.pop(0)
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            entries = sorted(entry for entry in folder.iterdir() if entry.is_dir())
        except OSError as error:
            found.unreadable[folder] = f"The folder {folder} cannot be read ({error.strerror}): allow reading it."
            continue
        yield folder
        for entry in entries:
            if not entry.name.startswith(".") and entry.name not in FOLDERS and not is_png_stack(entry):
                (linked if entry.is_symlink() else waiting).append(entry)


def _look_into(folder: Path, root: Path, found: Survey, include: Sequence[str], exclude: Sequence[str]) -> None:
    """Tell the cubes of one folder from its other files."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        found.unreadable[folder] = f"The folder {folder} cannot be read ({error.strerror}): allow reading it."
        return
    images = _envi_images(entries)
    for path in entries:
        name = path.relative_to(root).as_posix()
        if path.is_dir():
            if not path.name.startswith(".") and is_png_stack(path):
                _take(path, "", name, found, include, exclude)
            continue
        if path.name.startswith("."):
            found.left_out[path] = "hidden"
        elif _own_reader(path) or path in images:
            if not path.exists():
                found.unreadable[path] = f"The file {path} is a link to {path.readlink()}, which is not there."
                continue
            kind = envi_companion_kind(path, images[path]) if path in images else companion_kind(path)
            _take(path, kind, name, found, include, exclude)
        elif path not in images.values():
            found.left_out[path] = "no cube"


def _take(path: Path, kind: str, name: str, found: Survey, include: Sequence[str], exclude: Sequence[str]) -> None:
    """Take a cube, unless its name or a pattern speaks against it."""
    if _matches(path.name, name, exclude):
        found.left_out[path] = "excluded"
    elif include and not _matches(path.name, name, include):
        found.left_out[path] = "not asked for"
    elif kind and not include:
        found.left_out[path] = kind
    else:
        found.cubes.append(path)


def _matches(name: str, below: str, patterns: Sequence[str]) -> bool:
    return any(fits_pattern(pattern, name, below) for pattern in patterns)


def _own_reader(path: Path) -> bool:
    """Tell whether the ending alone says the format; raw images need a header as well."""
    return READERS.get(path.suffix.lower(), EnviCube) is not EnviCube


def _envi_images(entries: Sequence[Path]) -> dict[Path, Path]:
    """Return the images of the ENVI headers among the files of a folder, each with its header.

    A header belongs to the file that it is named after as a whole (`scene.dat.hdr`), and to every image of a usual
    ending that has its stem and no header of its own. Only where there is none, another file of the stem is its image,
    if it is large enough and of no other known format.
    """
    files = {path.name: path for path in entries if path.is_symlink() or path.is_file()}
    headers = [path for path in files.values() if path.suffix.lower() == ".hdr" and is_envi_header(path)]
    own = {header.name[: -len(".hdr")] for header in headers}
    images: dict[Path, Path] = {}
    for header in headers:
        stem = header.name[: -len(".hdr")]
        mates = [path for path in files.values() if path.stem == stem and path != header and path.name not in own]
        chosen = [path for path in mates if path.suffix.lower() in IMAGE_SUFFIXES]
        if stem in files and not _own_reader(files[stem]):
            chosen.append(files[stem])
        if not chosen:
            others = [path for path in mates if not _own_reader(path) and path.suffix.lower() not in _FOREIGN]
            chosen = [path for path in others if _fits(path, header)]
            chosen = chosen if len(chosen) == 1 else []
        for path in chosen:
            images.setdefault(path, header)
    return images


_FOREIGN = {
    *(
        ".hdr",
        ".txt",
        ".log",
        ".json",
        ".xml",
        ".csv",
        ".md",
        ".yaml",
        ".yml",
        ".ini",
        ".html",
        ".pdf",
        ".doc",
        ".docx",
    ),
    *(".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".svg", ".kml", ".kmz", ".shp", ".dbf", ".prj", ".tfw"),
    *(
        ".aux",
        ".zip",
        ".gz",
        ".tar",
        ".tgz",
        ".7z",
        ".rar",
        ".bak",
        ".tmp",
        ".part",
        ".db",
        ".py",
        ".m",
        ".ovr",
        ".msk",
        ".enp",
    ),
}
"""Endings of files that are no ENVI images, whatever lies beside them."""


def _fits(path: Path, header: Path) -> bool:
    try:
        return path.stat().st_size >= layout_of(header, read_entries(header)).end
    except (ValueError, OSError):
        return False


def _plural(kind: str) -> str:
    return {"spectral library": "spectral libraries", "uncertainty": "uncertainties", "geometry": "geometries"}.get(
        kind, f"{kind}s"
    )
