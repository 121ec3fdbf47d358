"""What every training-free method asks of its input, in one sentence each."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from lightning_modules.solvers.result import SolverError

__all__ = ["require_cubes", "require_positive", "require_rank", "require_start"]


def require_cubes(observed: Tensor, method: str, constant_bands: bool = True) -> None:
    """Refuse what is no batch of finite cubes; warn of bands that are constant, which carry no signal.

    Args:
        observed: `B x C x H x W`, float32 or float64.
        method: name for the sentence.
        constant_bands: whether constant bands are worth a warning; not where missing ones are what it is about.

    Raises:
        SolverError: for another number of axes, an empty axis, another number type, or values that are not finite.
    """
    if observed.ndim != 4 or 0 in observed.shape:
        raise SolverError(
            f"{method} takes a batch of cubes, B x C x H x W, but got a tensor of shape {tuple(observed.shape)}: "
            "give a single cube a batch axis with cube[None]."
        )
    if observed.dtype not in (torch.float32, torch.float64):
        raise SolverError(f"{method} works in float32 or float64, not in {observed.dtype}: convert the cubes first.")
    bad = ~observed.isfinite()
    if bool(bad.any()):
        scene, band = (int(index) for index in bad.flatten(2).any(2).nonzero()[0])
        raise SolverError(
            f"{method} was given {int(bad.sum())} values that are NaN or infinite, first in band {band} of scene "
            f"{scene} of the batch: replace them, or leave those bands out."
        )
    if not constant_bands:
        return
    constant = (observed.amax((-2, -1)) == observed.amin((-2, -1))).nonzero().tolist()
    if constant and observed.shape[-2:].numel() > 1:
        scene, band = constant[0]
        warnings.warn(
            f"{method}: {len(constant)} constant {'band' if len(constant) == 1 else 'bands'}, first band {band} of "
            f"scene {scene} of the batch: without signal, and counted as free of noise.",
            stacklevel=3,
        )


def require_rank(rank: int, most: int, method: str, what: str = "bands") -> None:
    """Refuse a rank below 1 or above what there is.

    Raises:
        SolverError: naming the rank and the largest possible one.
    """
    if not 1 <= rank <= most:
        raise SolverError(f"{method} cannot keep a rank of {rank} of {most} {what}: ask for 1 to {most}.")


def require_positive(method: str, **values: float) -> None:
    """Refuse parameters that are not above zero.

    Raises:
        SolverError: naming the first such parameter and its value.
    """
    for name, value in values.items():
        if not value > 0:
            raise SolverError(f"{method} needs a {name} above zero, not {value}.")


def require_start(start: Tensor | None, observed: Tensor, method: str) -> None:
    """Refuse a first estimate that does not fit the observed cubes.

    Raises:
        SolverError: naming both shapes and number types.
    """
    if start is not None and (start.shape != observed.shape or start.dtype != observed.dtype):
        raise SolverError(
            f"{method} was given a start of shape {tuple(start.shape)} in {start.dtype} for cubes of shape "
            f"{tuple(observed.shape)} in {observed.dtype}: both must agree."
        )
