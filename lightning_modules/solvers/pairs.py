"""What every fusion solver does with a pair of images: refuse what cannot be fused, and solve scene by scene."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from lightning_modules.solvers.result import SolverError, SolverResult

__all__ = ["Fused", "SceneSolver", "check_above_zero", "check_pair", "check_response", "solve_scenes"]


@dataclass(frozen=True)
class Fused:
    """What a solver reached for one scene: the cube `C x H x W`, and how it ended (see `SolverResult`)."""

    cube: Tensor
    residual: float = 0.0
    iterations: int = 1
    converged: bool = True


SceneSolver = Callable[[int, Tensor, Tensor], Fused]
"""Fuses the observation `C x h x w` and the multispectral image `c x H x W` of the scene with this number."""


def check_pair(method: str, observation: Tensor, multispectral: Tensor, ratio: int) -> None:
    """Refuse pairs that no fusion solver can work with.

    Args:
        method: name for the error sentence.
        observation: `B x C x h x w`.
        multispectral: `B x c x H x W`.
        ratio: the sides of the second over those of the first.

    Raises:
        SolverError: wrong axes or sizes, no channel, values that are not finite, or a channel of zeros.
    """
    low, high = observation.shape, multispectral.shape
    if len(low) != 4 or len(high) != 4 or low[0] != high[0]:
        raise SolverError(
            f"{method} got images of shape {list(low)} and {list(high)}; give B x C x h x w and B x c x H x W of the "
            "same scenes."
        )
    if min(*low, *high) < 1:
        raise SolverError(f"{method} got an empty image ({list(low)} and {list(high)}); give at least one of each.")
    if (high[2], high[3]) != (ratio * low[2], ratio * low[3]):
        raise SolverError(
            f"{method} got a multispectral image of {high[2]} x {high[3]} pixels for {low[2]} x {low[3]} at the ratio "
            f"{ratio}; crop both to the same ground, or give the spatial response of that ratio."
        )
    for name, images in (("hyperspectral", observation), ("multispectral", multispectral)):
        if not images.is_floating_point():
            raise SolverError(f"{method} got a {name} image of {images.dtype}; scale it to floating point first.")
        finite = torch.isfinite(images).flatten(1).all(dim=1)
        if not bool(finite.all()):
            scene = int((~finite).nonzero()[0])
            raise SolverError(
                f"The {name} image of scene {scene} holds NaN or infinite values; repair it, or leave the scene out of "
                f"{method}."
            )
    dead = (multispectral == 0).flatten(2).all(dim=2).nonzero()
    if len(dead):
        scene, channel = (int(index) for index in dead[0])
        raise SolverError(
            f"The multispectral channel {channel} of scene {scene} holds only zeros, which tells {method} nothing; "
            "leave that channel out."
        )


def check_response(method: str, response: Tensor, observation: Tensor, multispectral: Tensor) -> None:
    """Refuse a spectral response `c x C` of other images.

    Raises:
        SolverError: its shape is not channels x bands, or a channel sees nothing.
    """
    wanted = (multispectral.shape[-3], observation.shape[-3])
    if tuple(response.shape) != wanted:
        raise SolverError(
            f"{method} got a spectral response of shape {list(response.shape)} for {wanted[0]} multispectral channels "
            f"and {wanted[1]} bands; give one of {wanted[0]} x {wanted[1]}, or none to have it estimated."
        )
    if not bool(torch.isfinite(response).all()) or bool((response == 0).all(dim=1).any()):
        raise SolverError(
            f"A channel of the spectral response given to {method} is zero or not finite; choose the response of the "
            "sensor that took the multispectral image."
        )


def check_above_zero(method: str, observation: Tensor, multispectral: Tensor) -> None:
    """Refuse images that no mixture of spectra explains: those whose mean is not above 0.

    Raises:
        SolverError: naming the image, the scene, and the share of its values below 0.
    """
    for name, images in (("hyperspectral", observation), ("multispectral", multispectral)):
        dark = (images.double().flatten(1).mean(dim=1) <= 0).nonzero()
        if len(dark):
            scene = int(dark[0])
            below = 100 * float((images[scene] < 0).double().mean())
            raise SolverError(
                f"{method} mixes spectra that are not negative, but {below:.0f} % of the {name} image of scene {scene} "
                "is below 0 and so is its mean: undo the offset of the values, or take GSA, which asks for no sign."
            )


def solve_scenes(method: str, observation: Tensor, multispectral: Tensor, solve: SceneSolver) -> SolverResult:
    """Fuse a batch scene by scene in float64, so that no scene depends on its batch or on the type it came in.

    Args:
        method: name for the error sentence.
        observation: `B x C x h x w`, whose type and device the result has.
        multispectral: `B x c x H x W`.
        solve: fuses one scene.

    Raises:
        SolverError: a scene has no finite answer.
    """
    scenes = []
    for scene, (low, high) in enumerate(zip(observation.double(), multispectral.double(), strict=True)):
        try:
            fused = solve(scene, low, high)
            finite = bool(fused.cube.isfinite().all())
        except ZeroDivisionError:
            finite = False
        if not finite:
            raise SolverError(
                f"{method} has no finite answer for scene {scene}: bring the values of both images to about 0 to 1, or "
                "take GSA, which asks least of them."
            )
        scenes.append(fused)
    device = observation.device
    return SolverResult(
        torch.stack([one.cube for one in scenes]).to(observation),
        torch.tensor([one.residual for one in scenes], dtype=torch.float64, device=device),
        torch.tensor([one.iterations for one in scenes], device=device),
        torch.tensor([one.converged for one in scenes], device=device),
    )
