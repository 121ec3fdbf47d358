"""What training-free methods share, for one image or for pairs: nothing to fit, tiles, and the seconds they take."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, cast

from torch import Tensor, nn

from hyperalign.errors import UsageError
from lightning_modules.metrics import MetricProtocol
from lightning_modules.metrics.device_cost import DeviceCost
from lightning_modules.restoration import RestorationModule
from lightning_modules.restorer.tiles import in_tiles
from lightning_modules.solvers import SolverResult, TrainingFree, TrainingFreeFusion

__all__ = ["TrainingFreeModule"]

log = logging.getLogger(__name__)


class TrainingFreeModule(RestorationModule):
    """What methods without training share, for one image or for pairs: there is nothing to fit, and seconds are kept.

    Args:
        solver: the method and its settings.
        protocol: metric conventions; the defaults of `MetricProtocol` when None.
        tile: side, in pixels of the observation, of overlapping, blended tiles; None restores scenes whole.
        source: weights of a method that has a trained prior (HIR-Diff), ours or its authors'; None for the others.

    Attributes:
        seconds: of every scene since the last test, validation or prediction began, as `DeviceCost` counts them.
        gibibytes: memory that each of these batches of scenes took at most, where the system tells.
    """

    adapted: ClassVar[str] = "RestorationModule"
    """What can be adapted with the method as its proxy restorer."""

    def __init__(
        self,
        solver: TrainingFree | TrainingFreeFusion,
        protocol: MetricProtocol | None = None,
        tile: int | None = None,
        source: str | None = None,
    ) -> None:
        super().__init__(cast("nn.Module", solver), protocol=protocol, tile=tile, source=source)
        # Every cube keeps its bands; the published parameters are for values of about [0, 1].
        self.trained_on = {"any_bands": True, "normalisation": "maximum"}
        self.seconds: list[float] = []
        self.gibibytes: list[float] = []
        self._told = False

    @property
    def method(self) -> str:
        """Name of the method."""
        return type(self.network).__name__

    def input_settings(self) -> dict[str, Any]:
        """Return the solver's settings: without weights, nothing else tells one use of it from another."""
        return {"solver": self.network.settings}

    def setup(self, stage: str) -> None:
        """Refuse to fit.

        Raises:
            UsageError: in a fit.
        """
        if stage == "fit":
            raise UsageError(
                f"{self.method} has no weights to fit: use `test`, `validate` or `predict`, or make it the restorer of "
                f"ProxyGeneration in the fit of a {self.adapted}."
            )
        self._told, self.seconds, self.gibibytes = False, [], []
        super().setup(stage)

    def timed_in_tiles(self, solve: Callable[..., SolverResult], images: Sequence[Tensor], tile: int | None) -> Tensor:
        """Solve whole scenes or tiles, keep the seconds, and say once where the stopping rule was not met.

        Args:
            solve: takes the images, or the same part of each.
            images: of the same ground, the one with the fewest pixels first.
            tile: side of overlapping, blended tiles; None takes the module's own setting.
        """

        def solved(*pieces: Tensor) -> Tensor:
            result = solve(*pieces)
            if not self._told and (missed := result.unconverged(self.method)):
                log.warning("%s", missed)
                self._told = True
            return result.restored.to(pieces[0].dtype)

        scenes = len(images[0])
        with DeviceCost(self.device) as cost:
            restored = in_tiles(solved, *images, tile=tile or self.tile)
        self.seconds += [cost.seconds / scenes] * scenes
        self.gibibytes += [] if cost.gibibytes is None else [cost.gibibytes]
        return restored
