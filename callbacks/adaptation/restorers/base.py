"""What anything that makes proxies offers: a `lightning_modules.restorer.Restorer` that is bound to a fit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from lightning_modules.metrics import MetricProtocol
from lightning_modules.restorer import FILE_TILE, Restorer


class ProxyRestorer(ABC):
    """Restores the batch of one observation into a proxy.

    Attributes:
        needs: keys of a batch that it reads.
        tile: side of the tiles that it restores in by itself; None leaves that to the stage.
        file_tile: see `Restorer`.
        protocol: see `Restorer`.
        trained_on: see `Restorer`.
        device: where it computes: where the fit does.
    """

    def __init__(self) -> None:
        self.needs: tuple[str, ...] = ("observation",)
        self.tile: int | None = None
        self.file_tile = FILE_TILE
        self.protocol = MetricProtocol()
        self.trained_on: Mapping[str, Any] = {}
        self.device = torch.device("cpu")

    @property
    def name(self) -> str:
        """Name of the class."""
        return type(self).__name__

    @property
    def uses_source(self) -> bool:
        """Whether the source network has a part in the proxies, which are then made again in every round."""
        return False

    def bind(self, module: Restorer, source: Restorer | None) -> None:
        """Take what a round of the fit brings along.

        Args:
            module: the fit's module.
            source: the source-trained restorer, or the one that the round started from; None where `uses_source` is
                not.
        """
        self.device = module.device

    @abstractmethod
    def restore(self, batch: Mapping[str, Any], tile: int | None = None) -> Tensor:
        """Restore a batch of one scene.

        Args:
            batch: the observation, see `datamodules.sampling.batches.Batch`.
            tile: side of the tiles in observation pixels that the stage asks for; None restores it whole.

        Returns:
            The restored cube `1 x C x H x W`, on `device`.
        """

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """Return everything that its proxies depend on beside the observation and the tile, JSON-able."""

    def source_restorer(self) -> Restorer | None:
        """Return None: it is not adapted."""
        return None
