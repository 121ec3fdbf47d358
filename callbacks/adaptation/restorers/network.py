"""Proxies by a network: the source network of the fit, another one from its checkpoint, or a training-free method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from callbacks.adaptation.restorers.base import ProxyRestorer
from hyperalign.errors import InputError
from lightning_modules.checkpoints import load_weights, network_identity
from lightning_modules.restorer import NetworkRestorer, Restorer, network_settings
from lightning_modules.restorer.tiles import check_tile
from lightning_modules.solvers import TrainingFree


class SourceRestorer(ProxyRestorer):
    """The source network of the fit, as in the paper; in later rounds the network that the round started from."""

    def __init__(self) -> None:
        super().__init__()
        self._source: Restorer | None = None

    @property
    def uses_source(self) -> bool:
        """True."""
        return True

    def bind(self, module: Restorer, source: Restorer | None) -> None:
        """Take the round's network, and its tile.

        Raises:
            ValueError: when the fit has no source weights.
        """
        super().bind(module, source)
        if source is None:
            raise InputError(
                f"{type(module).__name__} has no source weights; set model.init_args.source to the source-trained "
                "checkpoint, or take a proxy restorer without them."
            )
        self._source, self.needs, self.tile = source, source.needs, source.tile

    def restore(self, batch: Mapping[str, Any], tile: int | None = None) -> Tensor:
        """Restore by the source network."""
        return self._bound().restore(batch, tile)

    def identity(self) -> dict[str, Any]:
        """Return the source network's own: with it alone, proxies are kept under the key that they always had."""
        return self._bound().identity()

    def _bound(self) -> Restorer:
        if self._source is None:
            raise InputError("SourceRestorer is asked outside of a fit: bind it to a module with source weights first.")
        return self._source


class OtherRestorer(ProxyRestorer):
    """A training-free method such as `lightning_modules.WhitenedRCTV`, or another network with a checkpoint.

    Args:
        network: maps observations `B x C x h x w` to restored cubes.
        checkpoint: its weights: a checkpoint of this project, or an official one.
        tile: side of the tiles, in observation pixels, that scenes are restored in; None takes the stage's own, but
            training-free methods that share spectral directions over a scene are given it whole.

    Raises:
        ValueError: when a network that learns comes without a checkpoint, or the tile is too small.
    """

    def __init__(self, network: nn.Module, checkpoint: str | None = None, tile: int | None = None) -> None:
        super().__init__()
        check_tile(tile, type(self).__name__)
        if checkpoint is None and next(network.parameters(), None) is not None:
            raise InputError(
                f"OtherRestorer was given {network_identity(network)} without weights: set its checkpoint, or take "
                "SourceRestorer for the source network of the fit."
            )
        self.network = network
        self.checkpoint = checkpoint
        self.tile = tile
        self._module: Restorer | None = None
        self._loaded = False

    def bind(self, module: Restorer, source: Restorer | None) -> None:
        """Take the device, and what the module gives its own network."""
        super().bind(module, source)
        self._module, self.needs = module, module.needs

    def restore(self, batch: Mapping[str, Any], tile: int | None = None) -> Tensor:
        """Restore by the network.

        Raises:
            ValueError: when a method for single cubes is given a pair of images.
        """
        network = self._ready().to(self.device)
        whole = isinstance(network, TrainingFree) and not network.local
        if isinstance(network, TrainingFree) and "multispectral" in batch:
            raise InputError(
                f"{type(network).__name__} restores single cubes, but these observations are pairs: take a fusion "
                "network with its checkpoint."
            )
        if whole:
            batch = {**batch, "observation": batch["observation"].to(self.device)}
        restorer = NetworkRestorer(network, getattr(self._module, "inputs", None), needs=self.needs)
        return restorer.restore(batch, self.tile if self.tile is not None or whole else tile)

    def identity(self) -> dict[str, Any]:
        """Return the network's structure and weights, and the tile.

        Raises:
            FileNotFoundError: when there is no such checkpoint.
            CheckpointError: when it cannot be used.
        """
        return {"restorer": self.name, **network_settings(self._ready()), "own_tile": self.tile}

    def _ready(self) -> nn.Module:
        """Return the network with its weights, read once."""
        if not self._loaded:
            if self.checkpoint is not None:
                load_weights(self.network, self.checkpoint)
            self.network.eval().requires_grad_(False)
            self._loaded = True
        return self.network
