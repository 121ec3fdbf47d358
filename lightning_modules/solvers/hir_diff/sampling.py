"""The guided reverse process of HIR-Diff: deterministic DDIM steps of three bands, pulled to the observation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lightning_modules.solvers.hir_diff.guidance import Guidance

__all__ = ["Denoiser", "Step", "guided_step", "reconstructed", "reverse"]

Denoiser = Callable[[Tensor, Tensor], Tensor]
"""Predicts the noise in `B x 3 x H x W` images at noise levels `B`."""


@dataclass(frozen=True)
class Step:
    """State after one step.

    Attributes:
        image: the next image of the process, `B x 3 x H x W` in about [-1, 1].
        denoised: the estimate of the clean bands that it was made from.
        loss: of that estimate's cube, `B`.
    """

    image: Tensor
    denoised: Tensor
    loss: Tensor


def reconstructed(image: Tensor, coefficients: Tensor) -> Tensor:
    """Return the cube `B x C x H x W` that three bands in [-1, 1] and coefficients `B x C x 3` stand for."""
    return torch.einsum("bck,bkhw->bchw", coefficients, (image + 1.0) / 2.0)


def guided_step(
    network: Denoiser,
    image: Tensor,
    signal: float,
    following: float,
    level: float,
    coefficients: Tensor,
    loss: Guidance,
) -> Step:
    """Go one step of DDIM without fresh noise, then along the negative gradient of the loss through the network.

    Args:
        network: predicts the noise.
        image: `B x 3 x H x W`.
        signal: squared share of the signal now.
        following: the same after the step.
        level: what the network is told.
        coefficients: `B x C x 3`.
        loss: of the cubes.
    """
    with torch.enable_grad():
        leaf = image.detach().requires_grad_()
        noise = network(leaf, torch.full((len(image),), level).to(image))
        denoised = ((leaf - (1.0 - signal) ** 0.5 * noise) / signal**0.5).clamp(-1.0, 1.0)
        losses = loss(reconstructed(denoised, coefficients))
        (gradient,) = torch.autograd.grad(losses.sum(), leaf)
    stepped = following**0.5 * denoised + (1.0 - following) ** 0.5 * noise - gradient
    return Step(stepped.detach(), denoised.detach(), losses.detach())


def reverse(
    network: Denoiser,
    start: Tensor,
    signals: Sequence[float],
    levels: Sequence[float],
    coefficients: Tensor,
    loss: Guidance,
    seen: Callable[[int, Step], None],
) -> Tensor:
    """Run the whole process.

    Args:
        network: see `guided_step`.
        start: noise, `B x 3 x H x W`.
        signals: squared shares of the signal at the visited times, rising.
        levels: what the network is told at each of them.
        coefficients: see `guided_step`.
        loss: see `guided_step`.
        seen: called with the number, from 1, and the state of every step.

    Returns:
        The three bands, `B x 3 x H x W`.
    """
    image = start
    for number, (signal, level) in enumerate(zip(signals, levels, strict=True), start=1):
        following = signals[number] if number < len(signals) else 1.0
        step = guided_step(network, image, signal, following, level, coefficients, loss)
        image = step.image
        seen(number, step)
    return image
