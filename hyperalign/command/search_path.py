"""Where a command finds code: this project's packages first, then what the user keeps in the working directory."""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder
from pathlib import Path

from hyperalign.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds this project's packages."""

PACKAGES = ("hyperalign", "lightning_modules", "datamodules", "callbacks", "experiments")


def let_own_code_in() -> None:
    """Make the modules of the working directory importable, after everything that is installed.

    A folder there that is called like one of this project's packages hides nothing, also under `python -m`, which puts
    the working directory first.

    Raises:
        UsageError: where a package of this project would be taken from another place, which PYTHONPATH makes possible.
    """
    here = Path.cwd()
    asked = {_resolved(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry}
    if here != ROOT:
        sys.path[:] = [entry for entry in sys.path if _resolved(entry) != here or here in asked]
        if ROOT not in map(_resolved, sys.path):
            sys.path.append(str(ROOT))
        if here not in asked:
            sys.path.append(str(here))
    check_packages()


def check_packages() -> None:
    """Refuse to go on where another folder hides one of this project's packages.

    Raises:
        UsageError: naming the first such folder.
    """
    for name in PACKAGES:
        check_package(name)


def check_package(name: str) -> None:
    """Refuse to go on where another folder hides a package of this project.

    Raises:
        UsageError: naming the folder.
    """
    found = PathFinder.find_spec(name, sys.path)
    if found is None:
        return
    places = [found.origin] if found.origin else list(found.submodule_search_locations or [])
    place = Path(places[0]).resolve() if places else ROOT / name
    if not place.is_relative_to(ROOT / name):
        hiding = place.parent if place.name == "__init__.py" else place
        raise UsageError(
            f"{hiding} hides this project's package {name}, because {hiding.parent} comes first in the search path "
            "(PYTHONPATH): rename it, or take that folder out of PYTHONPATH."
        )


def _resolved(entry: str) -> Path:
    return Path(entry or ".").resolve()
