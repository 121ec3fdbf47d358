"""ENVI images with headers of any name, and the cubes that are found in a folder."""

from __future__ import annotations

from pathlib import Path

from datamodules.scenes.readers import survey
from tests.datamodules.fake_chikusei import fake_scene, write_envi
from tests.datamodules.scenes.make_cubes import CENTRES

CUBE = fake_scene(6, 7, 5)


def image(path: Path, header: str | None = None, wavelengths: bool = True) -> Path:
    """An ENVI image with a header of any name."""
    write_envi(path, CUBE, CENTRES if wavelengths else None)
    if header is not None:
        path.with_suffix(".hdr").rename(path.with_name(header))
    return path


def names(folder: Path, **options: object) -> list[str]:
    """Names of the cubes below a folder."""
    found = survey(folder, **options)  # type: ignore[arg-type]
    return [path.relative_to(folder).as_posix() for path in found.cubes]
