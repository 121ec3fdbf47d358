"""A backbone that works on a few spectral directions of each scene, so that one checkpoint serves any sensor."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hyperalign.errors import InputError
from lightning_modules.solver_guided.base import Finish, SolverGuided
from lightning_modules.solvers.low_rank import leading_directions
from lightning_modules.solvers.noise_estimate import band_noise

__all__ = ["Subspace"]

SCALE = 10.0
"""What coefficients are divided by: whitened reflectances under usual noise are about as large."""

OUTLIER = 3.0
"""Deviations beyond which what the solver leaves of the observation is cut: impulses and stripes, not content."""

WEAK = 0.1
"""With which weight what the solver left decides on directions, beside its result."""


class Subspace(SolverGuided):
    """Restores the coefficient images of the leading spectral directions of each scene.

    Bands are divided by their noise w; V are the `rank` leading directions of the solver's result p/w (then of what it
    left of the observation), their signs such that every image's mean is positive. The backbone is given `V'(p/w)`, the
    observation's `V'(p/w + cut((y - p)/w))`, what is cut at 3 deviations being no content, and the mean size of that
    remainder in every pixel; it returns c, and the restored cube is `p + w V (c - V'(p/w))`. Its channels so do not
    depend on the sensor: any number of bands that is at least `rank`.

    Args:
        solver: training-free method, such as `lightning_modules.WhitenedRCTV`.
        network: backbone built for `rank` channels; with its own initialisation at the identity, the whole starts as
            the solver.
        rank: spectral directions that are restored.
        floor: smallest noise of a band, in units of the cube.
        memory: mebibytes of solver results that are kept in training.

    Raises:
        InputError: for a rank below 1, or a network of another number of channels.
    """

    any_bands = True

    def __init__(
        self, solver: nn.Module, network: nn.Module, rank: int = 6, floor: float = 3 / 255, memory: int = 1024
    ) -> None:
        if rank < 1 or not floor > 0:
            raise InputError(f"Subspace got rank={rank} and floor={floor}: give a rank of at least 1, a floor above 0.")
        super().__init__(solver, network, rank, 2 * rank + 1, memory)
        self.rank = rank
        self.floor = floor

    def prepared(self, observation: Tensor) -> tuple[Tensor, Finish]:
        """Return coefficient images and remainder, and what carries restored coefficients back to all bands.

        Raises:
            InputError: for observations of fewer bands than directions.
        """
        if observation.shape[1] < self.rank:
            raise InputError(
                f"The observation has {observation.shape[1]} bands, fewer than the {self.rank} spectral directions of "
                "this network: restore it by a network built for its bands."
            )
        with torch.no_grad(), torch.autocast(observation.device.type, enabled=False):
            observation = observation.float()
            solved = self.solve(observation)
            noise = band_noise(observation).clamp(min=self.floor)[:, :, None, None]
            white = solved / noise
            remainder = (observation / noise - white).clamp(-OUTLIER, OUTLIER)
            # Where the solver keeps fewer directions than the network, the strongest of what it left are the others.
            matrix = torch.cat([white.flatten(2), WEAK * remainder.flatten(2)], 2)
            directions, _ = leading_directions(matrix, self.rank)
            coefficients = torch.einsum("bcr,bchw->brhw", directions, white)
            signs = torch.where(coefficients.mean((2, 3)) < 0, -1.0, 1.0)
            directions, coefficients = directions * signs[:, None], coefficients * signs[:, :, None, None]
            seen = coefficients + torch.einsum("bcr,bchw->brhw", directions, remainder)
            images = torch.cat([coefficients / SCALE, seen / SCALE, remainder.abs().mean(1, keepdim=True)], 1)

        def finish(restored: Tensor) -> Tensor:
            change = restored.float() * SCALE - coefficients
            return solved + noise * torch.einsum("bcr,brhw->bchw", directions, change)

        return images, finish

    def extra_repr(self) -> str:
        """Return what no weight tells."""
        return f"rank={self.rank}, floor={self.floor:.6g}"
