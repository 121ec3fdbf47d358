"""A network with frozen weights that restores, and how any network is applied to a batch, whole or in tiles."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from hyperalign.captions import Window
from lightning_modules.checkpoints import network_identity, weights_digest
from lightning_modules.metrics import MetricProtocol
from lightning_modules.networks.consistency import Consistency
from lightning_modules.restorer.protocols import GivenByWindow, Inputs, Restorer
from lightning_modules.restorer.tiles import FILE_TILE, WHOLE, in_tiles, in_windows
from lightning_modules.solver_guided import scene_wide

__all__ = [
    "NetworkRestorer",
    "consistency_settings",
    "grid_of",
    "moved",
    "network_settings",
    "restored_by",
    "taken_data",
]


class NetworkRestorer:
    """A network that restores and learns nothing more: source weights, or those that a round began with.

    Args:
        network: put into evaluation mode for every restoration.
        inputs: takes from a batch what the network is given; the observation alone when None.
        needs: keys of a batch that `inputs` reads.
        tile: side, in observation pixels, of the tiles in which scenes are restored; None restores them whole.
        protocol: metric conventions; the defaults of `MetricProtocol` when None.
        settings: gives what the inputs depend on beside the batch, JSON-able.
        consistency: follows the network, see `lightning_modules.networks.consistency.Consistency`.
        trained_on: see `Restorer`.
    """

    def __init__(
        self,
        network: nn.Module,
        inputs: Callable[[Mapping[str, Any]], Inputs] | None = None,
        *,
        needs: tuple[str, ...] = ("observation",),
        tile: int | None = None,
        protocol: MetricProtocol | None = None,
        settings: Callable[[], Mapping[str, Any]] = dict,
        consistency: Consistency | None = None,
        trained_on: Mapping[str, Any] | None = None,
    ) -> None:
        self.network = network
        self.inputs = inputs if inputs is not None else _observation_alone
        self.needs = needs
        self.tile = tile
        self.protocol = protocol if protocol is not None else MetricProtocol()
        self.trained_on: Mapping[str, Any] = dict(trained_on or {})
        self.consistency = consistency
        self._settings = settings

    @property
    def file_tile(self) -> int:
        """Side of the tiles in which files are restored where nothing else is asked for."""
        return FILE_TILE if scene_wide(self.network) is None else WHOLE

    @property
    def name(self) -> str:
        """Class of the network."""
        return network_identity(self.network)

    @property
    def device(self) -> torch.device:
        """Where the network is; the CPU for one without parameters."""
        return next((parameter.device for parameter in self.network.parameters()), torch.device("cpu"))

    def identity(self) -> dict[str, Any]:
        """Return the digests of the weights and of the network's structure, and the settings of its inputs."""
        return network_settings(self.network) | consistency_settings(self.consistency) | dict(self._settings())

    def restore(self, batch: Mapping[str, Any], tile: int | None = None) -> Tensor:
        """Restore a batch; see `Restorer.restore`."""
        batch = moved(batch, self.network, self.device)
        grid = grid_of(self.network, batch)
        return restored_by(self.network, self.inputs(batch), tile or self.tile, grid, self.consistency)

    def source_restorer(self) -> Restorer | None:
        """Return None: it is a source itself."""
        return None


def network_settings(network: nn.Module) -> dict[str, Any]:
    """Return what a network's results depend on: equal `weights` may be put to different uses by the `network`.

    Returns:
        `weights`, the digest of all weights, and `network`, the sha256 of the printed structure.
    """
    structure = re.sub(r" at 0x[0-9a-f]+", "", repr(network))
    return {"weights": weights_digest(network), "network": hashlib.sha256(structure.encode()).hexdigest()}


def consistency_settings(consistency: Consistency | None) -> dict[str, str]:
    """Return how a restored cube is brought to agree with its observation, part of the keys of what is kept."""
    return {} if consistency is None else {"consistency": repr(consistency)}


def taken_data(network: nn.Module, recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a network's cubes are brought to: what its training data are said to be, but any bands where it can.

    Args:
        network: says by `any_bands` that no band has to be matched.
        recorded: `wavelengths` and `normalisation` of the training data, each where known.
    """
    if not getattr(network, "any_bands", False):
        return dict(recorded)
    kept = {key: value for key, value in recorded.items() if key != "wavelengths"}
    fewest = getattr(network, "fewest_bands", None)
    return {"any_bands": True, **({} if fewest is None else {"fewest_bands": int(fewest)}), **kept}


def grid_of(network: nn.Module, batch: Mapping[str, Any]) -> dict[str, float | Tensor]:
    """Return what a network is told beside its images, where it takes it and the batch has it.

    Returns:
        The sampling phase of the observation as `phase`, for networks that enlarge by it, and the numbers of the tasks
        as `task_id`, for those that are told their task.
    """
    told: dict[str, float | Tensor] = {}
    if getattr(network, "takes_phase", False) and "phase" in batch:
        told["phase"] = float(batch["phase"])
    if getattr(network, "takes_task", False) and "task" in batch:
        told["task_id"] = batch["task"]
    return told


def moved(batch: Mapping[str, Any], network: nn.Module, device: torch.device) -> dict[str, Any]:
    """Return a batch whose tensors are on a device and, where they are fractions, of the network's precision."""
    precision = next((one.dtype for one in network.parameters() if one.is_floating_point()), torch.float32)
    return {
        key: one.to(device, precision if one.is_floating_point() else one.dtype) if isinstance(one, Tensor) else one
        for key, one in batch.items()
    }


@torch.no_grad()
def restored_by(
    network: nn.Module,
    inputs: Inputs,
    tile: int | None,
    grid: Mapping[str, float | Tensor],
    consistency: Consistency | None = None,
) -> Tensor:
    """Restore by a network in evaluation mode, without gradients; afterwards it is in the mode in which it was.

    Args:
        network: takes the images and what is given whole.
        inputs: both.
        tile: side of the tiles in observation pixels; None restores scenes whole. A network that must see scenes whole
            (`lightning_modules.Subspace`) does so, and its backbone alone is given tiles, of 256 pixels where None.
        grid: where the observation's pixels lie; see `grid_of`.
        consistency: brings the restored cubes, whole, to agree with the first image, the observation.
    """
    images, whole = inputs
    wide = scene_wide(network)
    with _evaluating(network):
        if wide is not None:
            prepared, finish = wide.prepared(*images)
            precision = wide.mix.weight.dtype
            # A whole scene may be large: the backbone is given tiles of it also where nobody asked for them.
            restored = finish(in_tiles(wide.core, prepared.to(precision), tile=min(tile or FILE_TILE, WHOLE)))
        else:

            def told(window: Window | None, *pieces: Tensor) -> Tensor:
                given = whole.of(window) if isinstance(whole, GivenByWindow) else whole
                part: Tensor = network(*pieces, *given, **grid)
                return part

            restored = in_windows(told, *images, tile=tile)
    return restored if consistency is None else consistency(restored, images[0])


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Switch off what only training does, and switch on again exactly what was on."""
    trained = [module for module in network.modules() if module.training]
    try:
        network.eval()
        yield
    finally:
        for module in trained:
            module.training = True


def _observation_alone(batch: Mapping[str, Any]) -> Inputs:
    return (batch["observation"],), ()
