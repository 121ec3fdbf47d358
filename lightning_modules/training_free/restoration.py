"""Testing and using training-free methods like networks: the same commands, tables, pictures and writers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor

from lightning_modules.metrics import MetricProtocol
from lightning_modules.restorer import WHOLE
from lightning_modules.solvers import TrainingFree
from lightning_modules.training_free.base import TrainingFreeModule

__all__ = ["SolverModule"]


class SolverModule(TrainingFreeModule):
    """A training-free method in `test`, `validate` and `predict`; there is nothing to fit.

    Methods that share spectral directions over a scene are given it whole, also where files are written; they then hold
    about 10 copies of the cube (LRTDTV in float64 about 25). A `tile` bounds that, and every tile is then a scene of
    its own.

    Args:
        solver: the method and its settings.
        protocol: metric conventions; the defaults of `MetricProtocol` when None.
        tile: side, in pixels, of overlapping, blended tiles; None restores scenes whole.
        source: weights of a method that has a trained prior (HIR-Diff), ours or its authors'; None for the others.
    """

    def __init__(
        self,
        solver: TrainingFree,
        protocol: MetricProtocol | None = None,
        tile: int | None = None,
        source: str | None = None,
    ) -> None:
        super().__init__(solver, protocol, tile, source)

    @property
    def solver(self) -> TrainingFree:
        """The method: what is called the network elsewhere."""
        return cast("TrainingFree", self.network)

    @property
    def file_tile(self) -> int:
        """Side of the tiles in which files are restored where nothing else is asked for."""
        return super().file_tile if self.solver.local else WHOLE

    def restore(self, batch: Mapping[str, Any], tile: int | None = None) -> Tensor:
        """Restore a batch, which needs no target.

        Args:
            batch: see `datamodules.sampling.batches.Batch`.
            tile: side of overlapping, blended tiles; None takes the module's own setting.
        """
        return self.timed_in_tiles(self.solver.solve, [batch["observation"].to(self.device)], tile)
