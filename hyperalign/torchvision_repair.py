"""Lets a CUDA build of torchvision be imported beside a CPU build of torch.

The package index serves torchvision as a CUDA build only. Beside a CPU torch its compiled part does not load, and then
lightning, torchmetrics, timm and open_clip fail at import ("operator torchvision::nms does not exist"), although none
of them calls that operator here. Importing this module first makes the import of torchvision define the two schemas it
looks for; really calling them still raises. Where torchvision matches torch, or is absent, nothing is changed. Nothing
is imported before torchvision itself is asked for, so that `lightning --help` stays quick.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    import torch

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_KEPT_ALIVE: list[torch.library.Library] = []


def compiled_part_loads(package: Path) -> bool:
    """Tell whether one of torchvision's compiled libraries in the folder `package` can be loaded beside this torch."""
    import torch

    for library in sorted(package.glob("_C*")):
        if library.suffix not in {".so", ".pyd", ".dll", ".dylib"}:
            continue
        try:
            torch.ops.load_library(str(library))
        except (ImportError, OSError, RuntimeError):
            continue
        return True
    return False


def repair() -> bool:
    """Define torchvision's missing operator schemas where its compiled part does not load.

    Returns:
        Whether there was anything to repair.
    """
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None or compiled_part_loads(Path(spec.origin).parent):
        return False
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        library.define(operator + _SCHEMA)
    _KEPT_ALIVE.append(library)
    return True


class RepairBeforeImport(MetaPathFinder):
    """Import hook that finds nothing itself: it runs `repair` once, just before torchvision is first imported."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Step aside and repairs when `fullname` is torchvision; always leaves the finding to the other finders."""
        if fullname == "torchvision" and self in sys.meta_path:
            sys.meta_path.remove(self)
            repair()
        return None


if "torchvision" not in sys.modules:
    sys.meta_path.insert(0, RepairBeforeImport())
