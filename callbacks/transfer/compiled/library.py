"""Whether the compiled loops serve a transfer, and how a function of theirs is called."""

from __future__ import annotations

import ctypes
import logging
from functools import cache
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from hyperalign.compilation import compiled_library
from hyperalign.errors import HyperalignError, InputError

__all__ = ["Backend", "address", "library", "takes_compiled"]

_LOG = logging.getLogger(__name__)
_FOLDER = Path(__file__).parent

Backend = Literal["auto", "compiled", "torch"]


def library(name: str) -> ctypes.CDLL:
    """Return the loops of `name.cpp`, built first where the cache has none.

    Raises:
        ModuleNotFoundError: there is no compiler, or it refuses; one sentence.
        OSError: the cache cannot be written; one sentence.
    """
    return compiled_library(_FOLDER / f"{name}.cpp", "SpectralTransfer", "torch")


@cache
def _built() -> bool:
    """Build all loops; say once a process which backend "auto" took on a CPU, and why."""
    try:
        for source in sorted(_FOLDER.glob("*.cpp")):
            library(source.stem)
    except HyperalignError as error:
        _LOG.info("spectral transfer on cpu: backend 'torch', as there are no compiled loops (%s)", error)
        return False
    _LOG.info("spectral transfer on cpu: backend 'compiled'")
    return True


def takes_compiled(backend: Backend, image: Tensor) -> bool:
    """Tell whether the compiled loops are to be used.

    Args:
        backend: "auto" takes them for float32 on a CPU where they can be built, and torch otherwise.
        image: tells dtype and device.

    Raises:
        ValueError: "compiled" was asked for, and the images are not float32 on a CPU.
        ModuleNotFoundError: "compiled" was asked for, and they cannot be built.
        OSError: "compiled" was asked for, and they cannot be kept.
    """
    fits = image.device.type == "cpu" and image.dtype == torch.float32
    if backend == "compiled" and not fits:
        raise InputError(
            f"SpectralTransfer: backend 'compiled' works on float32 on a CPU, got {image.dtype} on {image.device}: "
            "take backend 'auto'."
        )
    if backend == "compiled":
        library("estimation")
    return backend == "compiled" or (backend == "auto" and fits and _built())


def address(tensor: Tensor, dtype: torch.dtype = torch.float32) -> int:
    """Return where the memory of a contiguous tensor of that dtype begins."""
    assert tensor.is_contiguous()  # noqa: S101 - the loops read memory in order
    assert tensor.dtype == dtype  # noqa: S101 - and of elements of that size
    return tensor.data_ptr()
