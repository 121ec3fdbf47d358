"""Testing and using training-free fusion like fusion networks: the same commands, tables, pictures and writers."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor

from hyperalign.errors import InputError, UsageError
from lightning_modules.metrics import MetricProtocol
from lightning_modules.restoration import RestorationModule
from lightning_modules.solvers import TrainingFreeFusion
from lightning_modules.tiles import in_tiles

__all__ = ["FusionSolverModule"]

log = logging.getLogger(__name__)


class FusionSolverModule(RestorationModule):
    """A training-free fusion method in `test`, `validate` and `predict`; there is nothing to fit.

    The place of the coarse pixels comes with every observation.

    Args:
        solver: the method and its settings.
        protocol: metric conventions; the defaults of `MetricProtocol` when None.
        tile: side, in pixels of the observation, of overlapping, blended tiles, each of which is then a scene of its
            own; None fuses scenes whole, with about 10 copies of the fused cube in float64.

    Attributes:
        cpu_seconds: that the method took since the last `setup`.
    """

    def __init__(
        self, solver: TrainingFreeFusion, protocol: MetricProtocol | None = None, tile: int | None = None
    ) -> None:
        super().__init__(solver, protocol=protocol, tile=tile)
        self.trained_on = {"any_bands": True, "normalisation": "maximum"}
        self._told = False
        self.cpu_seconds = 0.0

    @property
    def solver(self) -> TrainingFreeFusion:
        """The method: what is called the network elsewhere."""
        return cast("TrainingFreeFusion", self.network)

    def input_settings(self) -> dict[str, Any]:
        """The solver's settings: without weights, nothing else tells one use of it from another."""
        return {"solver": self.solver.settings}

    def setup(self, stage: str) -> None:
        """Refuse to fit.

        Raises:
            UsageError: in a fit.
        """
        if stage == "fit":
            raise UsageError(
                f"{type(self.solver).__name__} has no weights to fit: use `test`, `validate` or `predict`, or make it "
                "the restorer of ProxyGeneration in the fit of a FusionModule."
            )
        self._told = False
        self.cpu_seconds = 0.0
        super().setup(stage)

    def inputs(self, batch: Mapping[str, Any]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Take both images from a batch.

        Raises:
            InputError: the batch has no multispectral image.
        """
        if "multispectral" not in batch:
            raise InputError(
                f"The observation of {', '.join(batch['name'])} comes without a multispectral image, which "
                f"{type(self.solver).__name__} needs; set data.init_args.degradation to FusionObservation."
            )
        return (batch["observation"], batch["multispectral"]), ()

    def restore(self, batch: Mapping[str, Any], tile: int | None = None) -> Tensor:
        """Fuse a batch, which needs no target; say once where the stopping rule was not met.

        Args:
            batch: see `datamodules.sampling.batches.Batch`.
            tile: side of overlapping, blended tiles; None takes the module's own setting.
        """
        images = [image.to(self.device) for image in self.inputs(batch)[0]]
        phase = float(batch["phase"]) if "phase" in batch else None

        def solved(observation: Tensor, multispectral: Tensor) -> Tensor:
            started = time.process_time()
            result = self.solver.solve(observation, multispectral, phase)
            self.cpu_seconds += time.process_time() - started
            if not self._told and (missed := result.unconverged(type(self.solver).__name__)):
                log.warning("%s", missed)
                self._told = True
            return result.restored.to(observation.dtype)

        return in_tiles(solved, *images, tile=tile or self.tile)
