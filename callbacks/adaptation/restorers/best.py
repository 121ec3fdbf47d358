"""Proxies by what restores best: a solver where a plain network is to learn what the solver does better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from callbacks.adaptation.restorers.base import ProxyRestorer
from callbacks.adaptation.restorers.network import OtherRestorer, SourceRestorer
from datamodules.degradations import (
    BandMissing,
    ComplexMixture,
    Degradation,
    EstimatedNoise,
    NonIIDGaussian,
    SeveralTasks,
)
from lightning_modules.restorer import Restorer
from lightning_modules.solver_guided import scene_wide
from lightning_modules.solvers import BandInterpolation, WhitenedRCTV

__all__ = ["BestRestorer"]

NOISE = (NonIIDGaussian, ComplexMixture, EstimatedNoise)


class BestRestorer(ProxyRestorer):
    """Whitened RCTV for noise, interpolation for missing bands, the source network for all other tasks (ours).

    The tables that say so are in docs/study.md.

    A network that starts at a solver's result (`lightning_modules.Subspace`, `Guided`) is better than the solver, and
    so makes its own proxies.

    Args:
        rank: spectral directions of whitened RCTV, or `auto`.
    """

    def __init__(self, rank: int | str = 5) -> None:
        super().__init__()
        self.rank = rank
        self._solver = OtherRestorer(WhitenedRCTV(rank=rank))  # type: ignore[arg-type] # the solver checks it
        self._chosen: ProxyRestorer = self._solver

    @property
    def uses_source(self) -> bool:
        """Whether the source network makes the proxies."""
        return self._chosen.uses_source

    def choose(self, degradation: Degradation, module: nn.Module) -> None:
        """Decide for a task and a network.

        Args:
            degradation: of the target.
            module: of the fit.
        """
        tasks = degradation.tasks if isinstance(degradation, SeveralTasks) else (degradation,)
        self._chosen = SourceRestorer()
        if scene_wide(module) is None:
            if all(isinstance(task, NOISE) for task in tasks):
                self._chosen = self._solver
            elif all(isinstance(task, BandMissing) for task in tasks):
                self._chosen = OtherRestorer(BandInterpolation())

    def bind(self, module: Restorer, source: Restorer | None) -> None:
        """Hand on what a round brings along."""
        super().bind(module, source)
        self._chosen.bind(module, source)
        self.needs, self.tile = self._chosen.needs, self._chosen.tile

    def restore(self, batch: Mapping[str, Any], tile: int | None = None) -> Tensor:
        """Restore by what was chosen."""
        return self._chosen.restore(batch, tile)

    def identity(self) -> dict[str, Any]:
        """Return what was chosen says of itself: its proxies are the same as if it had been named."""
        return self._chosen.identity()
