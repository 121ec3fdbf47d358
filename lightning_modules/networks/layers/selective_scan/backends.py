"""Which implementation of the selective scan runs, and what a user is told about it."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import sysconfig
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from hyperalign.errors import InputError, MissingPackageError
from lightning_modules.networks.layers.selective_scan.chunked import chunked_scan
from lightning_modules.networks.layers.selective_scan.compiled.scan import compiled_scan
from lightning_modules.networks.layers.selective_scan.mamba_ssm_adapter import mamba_ssm_scan
from lightning_modules.networks.layers.selective_scan.problem import ScanProblem
from lightning_modules.networks.layers.selective_scan.reference import reference_scan
from lightning_modules.networks.layers.selective_scan.triton_blocks import triton_scan

__all__ = ["Backend", "choose"]

log = logging.getLogger(__name__)

Backend = Literal["auto", "reference", "chunked", "compiled", "triton", "mamba_ssm"]

_SCANS: dict[str, Callable[[ScanProblem], Tensor]] = {
    "reference": reference_scan,
    "chunked": chunked_scan,
    "compiled": compiled_scan,
    "triton": triton_scan,
    "mamba_ssm": mamba_ssm_scan,
}


@cache
def _installed(package: str) -> bool:
    """Whether `package` can be imported; looked up once, since every scan asks."""
    return importlib.util.find_spec(package) is not None


@cache
def _builds_launchers() -> bool:
    """Whether Triton finds the C compiler and the headers of Python that it builds every kernel's launcher with."""
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang") or shutil.which("cc")
    return bool(compiler) and (Path(sysconfig.get_paths()["include"]) / "Python.h").is_file()


@cache
def _announce(backend: str, device: str) -> None:
    """Say once a process what `auto` took on this kind of device."""
    log.info("selective_scan on %s: backend '%s'", device, backend)


def _check_triton(u: Tensor) -> None:
    """Sentences for what keeps the Triton kernels from running."""
    if not _installed("triton"):
        raise MissingPackageError(
            "selective_scan: backend 'triton' needs the package triton, which torch for CUDA brings along; "
            "install it (pip install triton) or take backend 'chunked'"
        )
    if u.device.type != "cuda" and os.environ.get("TRITON_INTERPRET") != "1":
        raise InputError(
            f"selective_scan: backend 'triton' runs on a GPU but u is on {u.device}, move it there or take 'chunked'"
        )
    _refuse_float64(u, "triton")


def _refuse_float64(u: Tensor, backend: str) -> None:
    if u.dtype == torch.float64:
        raise InputError(
            f"selective_scan: backend '{backend}' computes in float32 but u is float64, take 'chunked' or 'reference'"
        )


def _check_compiled(u: Tensor) -> None:
    """Sentences for what keeps the compiled loops from running; a missing compiler has its own."""
    if u.device.type != "cpu":
        raise InputError(
            f"selective_scan: backend 'compiled' runs on a CPU but u is on {u.device}, take 'auto' or move it there"
        )
    _refuse_float64(u, "compiled")


def _check_mamba_ssm(u: Tensor, states: int) -> None:
    """Sentences for what keeps the kernels of mamba_ssm from running."""
    if not _installed("mamba_ssm"):
        raise MissingPackageError(
            "selective_scan: backend 'mamba_ssm' needs the package mamba-ssm, which is compiled for CUDA: install it "
            "(MAMBA_KEEP_CUDA_BUILD=TRUE pip install --no-build-isolation mamba-ssm) or take backend 'auto'"
        )
    if u.device.type != "cuda":
        raise InputError(
            f"selective_scan: backend 'mamba_ssm' runs on a GPU but u is on {u.device}, move it there or take 'chunked'"
        )
    _refuse_float64(u, "mamba_ssm")
    if states > 256:
        raise InputError(
            f"selective_scan: backend 'mamba_ssm' has at most 256 states but A has {states}, take 'chunked'"
        )


def choose(backend: Backend, u: Tensor, states: int) -> Callable[[ScanProblem], Tensor]:
    """Return the implementation for a sequence like `u` with so many states a channel.

    Raises:
        ValueError: no backend of this name, or it cannot run this `u`.
        ModuleNotFoundError: its package is not installed.
    """
    name: str = backend
    if name == "auto":
        on_gpu = u.device.type == "cuda" and u.dtype != torch.float64
        name = "triton" if on_gpu and _installed("triton") and _builds_launchers() else "chunked"
        _announce(name, u.device.type)
    if name not in _SCANS:
        names = ", ".join(["auto", *_SCANS])
        raise InputError(f"selective_scan: there is no backend '{name}', choose one of {names}")
    if name == "compiled":
        _check_compiled(u)
    if name == "triton":
        _check_triton(u)
    if name == "mamba_ssm":
        _check_mamba_ssm(u, states)
    return _SCANS[name]
