"""Testing and using training-free fusion like fusion networks: the same commands, tables, pictures and writers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, cast

from torch import Tensor

from hyperalign.errors import InputError, UsageError
from lightning_modules.metrics import MetricProtocol
from lightning_modules.restorer import FILE_TILE
from lightning_modules.solvers import TrainingFreeFusion
from lightning_modules.training_free.base import TrainingFreeModule

__all__ = ["FusionSolverModule"]


class FusionSolverModule(TrainingFreeModule):
    """A training-free fusion method in `test`, `validate` and `predict`; there is nothing to fit.

    The place of the coarse pixels comes with every observation.

    Args:
        solver: the method and its settings.
        protocol: metric conventions; the defaults of `MetricProtocol` when None.
        tile: side, in pixels of the observation, of overlapping, blended tiles, each of which is then a scene of its
            own; None fuses scenes whole, with about 10 copies of the fused cube in float64.
    """

    adapted = "FusionModule"

    def __init__(
        self, solver: TrainingFreeFusion, protocol: MetricProtocol | None = None, tile: int | None = None
    ) -> None:
        super().__init__(solver, protocol, tile)

    def setup(self, stage: str) -> None:
        """Tell a method that asks for it (`blur: observed`) by which blur the data were observed.

        Raises:
            UsageError: in a fit, or where the data know no such blur.
        """
        super().setup(stage)
        if self.solver.blur != "observed":
            return
        task = getattr(getattr(self.trainer, "datamodule", None), "degradation", None)
        spread = getattr(task, "spread", None)
        if spread is None:
            raise UsageError(
                f"{self.method} is to take the blur of the observations, but the data know none: set "
                "data.init_args.psf to estimate (FusionPair), the task to FusionObservation, or "
                "model.init_args.solver.init_args.blur to toolbox."
            )
        self.solver.observe_by(spread.weights, spread.first)

    @property
    def solver(self) -> TrainingFreeFusion:
        """The method: what is called the network elsewhere."""
        return cast("TrainingFreeFusion", self.network)

    def input_settings(self) -> dict[str, Any]:
        """Return the method's settings and the blur that the data told it, by which its results differ."""
        told = self.solver.told
        return super().input_settings() | ({"observed by": told} if told else {})

    @property
    def file_tile(self) -> int:
        """Side, in hyperspectral pixels, of the tiles in which files are fused: smaller scenes are fused whole."""
        return FILE_TILE // 2

    @property
    def needs(self) -> tuple[str, ...]:
        """Both images."""
        return ("observation", "multispectral")

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
        """Fuse a batch, which needs no target.

        Args:
            batch: see `datamodules.sampling.batches.Batch`.
            tile: side of overlapping, blended tiles; None takes the module's own setting.
        """
        images = [image.to(self.device) for image in self.inputs(batch)[0]]
        phase = float(batch["phase"]) if "phase" in batch else None
        return self.timed_in_tiles(partial(self.solver.solve, phase=phase), images, tile)
