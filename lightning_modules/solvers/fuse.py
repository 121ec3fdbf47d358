"""FUSE: the Gaussian-prior fusion problem solved in closed form as a Sylvester equation.

Wei, Dobigeon, Tourneret, "Fast fusion of multi-band images based on solving a Sylvester equation", IEEE TIP 24(11),
2015; the robust form of the equation as in Wei et al., "R-FUSE", IEEE SPL 23(11), 2016.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lightning_modules.solvers.pairs import Fused, check_pair, check_response, solve_scenes
from lightning_modules.solvers.resampling import Phase, enlarge_by_splines
from lightning_modules.solvers.response_estimation import estimate_response
from lightning_modules.solvers.result import SolverError, SolverResult
from lightning_modules.solvers.spatial_response import FULL_WIDTH, SpatialResponse

__all__ = ["fuse", "fuse_blind"]


def fuse(
    observation: Tensor,
    multispectral: Tensor,
    response: Tensor | None,
    spatial: SpatialResponse,
    *,
    dimension: int = 15,
    prior_precision: float = 1e-3,
    prior_wraps: bool = True,
    unit: float = 1e4,
) -> SolverResult:
    """Minimise `|Y - E U B S|^2 / 2 + |M - R E U|^2 / 2 + prior_precision |U - mu|^2 / 2` over U; the cube is E U.

    E spans the observation's pixels, its coordinates scaled to unit second moment; mu is the observation's coordinates,
    enlarged by splines. B is circular, as published.

    Args:
        observation: `B x C x h x w` in [0, 1], Y.
        multispectral: `B x c x H x W`, M.
        response: `c x C`, R; None estimates it from each pair and takes its offset off the multispectral image.
        spatial: blur B and sampling S.
        dimension: of the subspace, at most C; more keeps finer spectra and more noise.
        prior_precision: weight of the prior; grows with the noise.
        prior_wraps: whether mu, where the pixels of the coarse grid end before the fine ones do, goes on at the other
            side of the image as published, or is mirrored, which spares the first and last rows and columns an error.
        unit: what 1 counts as in the data terms; fixes the meaning of `prior_precision`, which weighs `1 / unit**2` as
            much against data in [0, 1].

    Raises:
        SolverError: the images or the response do not fit, or the dimension is above the bands.
    """
    check_pair("FUSE", observation, multispectral, spatial.ratio)
    if response is not None:
        check_response("FUSE", response, observation, multispectral)
    _check_dimension(dimension, observation)
    settings = _Settings(dimension, prior_precision, prior_wraps)

    def fused(_scene: int, low: Tensor, high: Tensor) -> Fused:
        spectral, high = _seen(low, high, response, spatial)
        return Fused(_fused(low * unit, high * unit, spectral, spatial, settings) / unit)

    return solve_scenes("FUSE", observation, multispectral, fused)


def fuse_blind(
    observation: Tensor,
    multispectral: Tensor,
    *,
    ratio: int,
    phase: Phase,
    response: Tensor | None = None,
    dimension: int = 15,
    prior_precision: float = 1e-3,
    prior_wraps: bool = True,
    unit: float = 1e4,
) -> SolverResult:
    """Fuse as the toolbox of Yokoya et al. runs FUSE: a Gaussian blur by rule, the response estimated from the pair.

    The kernel is centred on a pixel; where the coarse pixels lie between pixels, the results of the neighbouring
    placements are averaged (for a grid of even blocks, the two along the diagonal, as published).

    Args:
        observation: `B x C x h x w` in [0, 1].
        multispectral: `B x c x H x W`.
        ratio: side of a hyperspectral pixel in multispectral pixels.
        phase: see `gsa`.
        response: `c x C`; None estimates it with its offset, see `estimate_response`.
        dimension: see `fuse`.
        prior_precision: see `fuse`.
        prior_wraps: see `fuse`.
        unit: see `fuse`.

    Raises:
        SolverError: the images or the response do not fit, or the dimension is above the bands.
    """
    check_pair("FUSE", observation, multispectral, ratio)
    _check_dimension(dimension, observation)
    if response is not None:
        check_response("FUSE", response, observation, multispectral)
    settings = _Settings(dimension, prior_precision, prior_wraps)

    def fused(_scene: int, low: Tensor, high: Tensor) -> Fused:
        spectral, high = _seen(low, high, response, SpatialResponse.toolbox(ratio, phase))
        parts = [
            weight * _fused(low * unit, high * unit, spectral, spatial, settings) / unit
            for spatial, weight in placements(ratio, phase)
        ]
        return Fused(torch.stack(parts).sum(dim=0))

    return solve_scenes("FUSE", observation, multispectral, fused)


def placements(ratio: int, phase: Phase) -> list[tuple[SpatialResponse, float]]:
    """Return the toolbox's kernels on whole pixels around `phase`, with the weights of their average."""
    size = 2 * round(ratio / 2 + 1e-9) + 1
    # sigma^2 = ratio^2 / (2 * 2.7725887): a full width at half maximum of the ratio
    sigma = ratio / FULL_WIDTH
    half = size // 2
    low, high = (math.floor(phase[0]), math.floor(phase[1])), (math.ceil(phase[0]), math.ceil(phase[1]))
    share = max(phase[0] - low[0], phase[1] - low[1])
    kernel = SpatialResponse.gaussian(ratio, size, sigma, (0.0, 0.0)).kernel
    places = [(low, 1.0 - share), (high, share)] if share > 0 else [(low, 1.0)]
    return [(SpatialResponse(kernel, (row - half, column - half), ratio), weight) for (row, column), weight in places]


def _seen(low: Tensor, high: Tensor, response: Tensor | None, spatial: SpatialResponse) -> tuple[Tensor, Tensor]:
    """Response of one scene, and its multispectral image without the offset that was estimated with it."""
    if response is not None:
        return response.to(low), high
    spectral, offset = estimate_response(low, spatial.reduce(high))
    return spectral, (high - offset[:, None, None]).clamp_min(0.0)


def _check_dimension(dimension: int, observation: Tensor) -> None:
    if not 1 <= dimension <= observation.shape[1]:
        raise SolverError(
            f"FUSE was given a subspace of dimension {dimension} for {observation.shape[1]} bands; set its "
            f"`dimension` (--model.solver.dimension) to 1 to {observation.shape[1]}."
        )


@dataclass(frozen=True)
class _Settings:
    """Numbers of the model, see `fuse`."""

    dimension: int
    precision: float
    wraps: bool


def _fused(low: Tensor, high: Tensor, response: Tensor, spatial: SpatialResponse, settings: _Settings) -> Tensor:
    """Solve for one scene in the units of the data terms."""
    basis, coordinates = _subspace(low, settings.dimension)
    size, ratio, precision = high.shape[-2:], spatial.ratio, settings.precision
    prior = torch.fft.fft2(_prior_mean(coordinates, ratio, spatial.phase, settings.wraps))
    transfer = spatial.transfer(*size).to(device=low.device)
    spread = torch.zeros(low.shape[0], *size, dtype=low.dtype, device=low.device)
    spread[:, ::ratio, ::ratio] = low
    seen = response @ basis
    data = torch.fft.fft2(torch.einsum("cd,chw->dhw", basis, spread)) * transfer.conj()
    data = data + torch.fft.fft2(torch.einsum("kd,khw->dhw", seen, high)) + precision * prior
    identity = torch.eye(settings.dimension).to(low)
    # (E'E)^-1 (E'R'RE + lambda I), diagonalised: in its eigenvectors every coordinate has an equation of its own.
    whitener = torch.linalg.inv(torch.linalg.cholesky(basis.T @ basis))
    values, vectors = torch.linalg.eigh(whitener @ (seen.T @ seen + precision * identity) @ whitener.T)
    back = whitener.T @ vectors
    right = torch.einsum("de,dhw->ehw", back.to(data), data)
    solved = _aliased(right, values, transfer, ratio)
    coordinates = torch.fft.ifft2(torch.einsum("de,ehw->dhw", back.to(data), solved)).real
    return torch.einsum("cd,dhw->chw", basis, coordinates)


def _prior_mean(coordinates: Tensor, ratio: int, phase: Phase, wraps: bool) -> Tensor:
    """Coordinates `d x h x w` enlarged to the fine grid."""
    if not wraps:
        return enlarge_by_splines(coordinates, ratio, phase)
    whole = (math.floor(phase[0]), math.floor(phase[1]))
    enlarged = enlarge_by_splines(coordinates, ratio, (phase[0] - whole[0], phase[1] - whole[1]))
    return enlarged.roll(whole, (-2, -1))


def _subspace(low: Tensor, dimension: int) -> tuple[Tensor, Tensor]:
    """Basis `C x d` of the pixels, scaled so that their coordinates `d x h x w` have unit second moment."""
    pixels = low.flatten(1)
    values, vectors = torch.linalg.eigh(pixels @ pixels.T / pixels.shape[1])
    values, vectors = values[-dimension:].flip(0), vectors[:, -dimension:].flip(1)
    # Directions that the pixels do not have must not be divided by.
    scale = values.clamp_min(values[0] * torch.finfo(low.dtype).eps).sqrt()
    coordinates = (vectors / scale).T @ pixels
    return vectors * scale, coordinates.view(dimension, *low.shape[1:])


def _aliased(right: Tensor, values: Tensor, transfer: Tensor, ratio: int) -> Tensor:
    """Solve `values u + k* S'S k u = right`, where sampling mixes the ratio^2 frequencies that fall on each other."""
    weights = values[:, None, None].to(right)
    inner = _folded(transfer * right / weights, ratio)
    power = _folded((transfer.abs() ** 2)[None], ratio).real
    correction = inner / (values[:, None, None] + power)
    return right / weights - transfer.conj() * correction.repeat(1, ratio, ratio)


def _folded(spectrum: Tensor, ratio: int) -> Tensor:
    """Mean over the frequencies that sampling puts on each other, `N x H x W -> N x H/ratio x W/ratio`."""
    count, height, width = spectrum.shape
    return spectrum.view(count, ratio, height // ratio, ratio, width // ratio).mean(dim=(1, 3))
