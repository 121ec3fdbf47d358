"""The ground floor that every other package stands on, and the front door: `load`, `restore` and `adapt`.

Importing it imports neither torch nor any other package of this house; `load`, `restore` and `adapt` do when they
are called.
"""

from hyperalign import torchvision_repair
from hyperalign.adaptation import Adapted, adapt
from hyperalign.door import load, restore
from hyperalign.errors import HyperalignError

__all__ = ["Adapted", "HyperalignError", "__version__", "adapt", "load", "restore", "torchvision_repair"]


def __getattr__(name: str) -> str:
    """Return `__version__`, which is looked up only when it is asked for."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("hyperalign")
    except PackageNotFoundError:
        return "0+checkout"
