"""A backbone that is given observation and solver result, band by band, and starts at the solver result."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hyperalign.errors import InputError
from lightning_modules.solver_guided.base import Finish, SolverGuided

__all__ = ["Guided"]


class Guided(SolverGuided):
    """Restores from the solver's result and the observation; needs the bands that the backbone was built for.

    Args:
        solver: training-free method, such as `lightning_modules.WhitenedRCTV`.
        network: backbone for as many bands as the observations have; with its own initialisation at the identity, the
            whole starts as the solver.
        memory: mebibytes of solver results that are kept in training.

    Raises:
        InputError: when the network does not say its number of bands (`input_channels`).
    """

    def __init__(self, solver: nn.Module, network: nn.Module, memory: int = 1024) -> None:
        bands: int | None = getattr(network, "input_channels", None)
        if bands is None:
            raise InputError(
                f"Guided must know how many bands {type(network).__name__} was built for: give it the attribute "
                "input_channels, or take Subspace."
            )
        super().__init__(solver, network, bands, 2 * bands, memory)

    @property
    def input_channels(self) -> int:
        """Bands of the observations."""
        return self.mix.out_channels

    def prepared(self, observation: Tensor) -> tuple[Tensor, Finish]:
        """Return the solver's result and the observation, and what returns the network's result as it is."""
        solved = self.solve(observation.float())
        return torch.cat([solved, observation.float()], 1), lambda restored: restored
