"""The work of stage (i) of HIR-ALIGN, without a Trainer: restoring every observation into a proxy scene (Eq. 3)."""

import hashlib
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from callbacks.adaptation.stages import Within, complete, versions
from callbacks.adaptation.store import Store
from callbacks.reporting.progress import Progress
from datamodules.sampling.batches import collate
from datamodules.sampling.full_scenes import ObservationDataset
from datamodules.scenes.scene import MappedScene, Observation
from hyperalign.errors import InputError
from hyperalign.files import tensor_digest
from hyperalign.ranks import Ranks
from lightning_modules.checkpoints import weights_digest
from lightning_modules.restoration import RestorationModule

REVISION = 1
"""Raised whenever the proxies of unchanged settings would come out differently."""


class Restoring(Protocol):
    """What knows which inputs a network is given: any restoration or fusion module."""

    def restore(self, batch: Mapping[str, Any], network: nn.Module | None = None, tile: int | None = None) -> Tensor:
        """Restore a batch by a network."""
        ...

    def input_settings(self) -> dict[str, Any]:
        """Return what the inputs depend on beside the batch itself."""
        ...


def make_proxies(
    network: nn.Module,
    observations: Sequence[Observation],
    root: str | Path,
    *,
    degradation: Mapping[str, Any],
    tile: int | None = None,
    clamp: bool = True,
    ranks: Ranks | None = None,
    progress: Progress | None = None,
    module: Restoring | None = None,
) -> list[MappedScene]:
    """Restore every observation (HIR-ALIGN, Eq. 3), or find its proxy in the store.

    Args:
        network: The source-trained restorer; it is put into evaluation mode.
        observations: The degraded target scenes or pairs, with distinct names.
        root: The store's root folder.
        degradation: The task's settings, part of the store's key.
        tile: Side of the square tiles (observation pixels) a scene is restored in; None restores it whole.
        clamp: Whether the proxies are clamped to [0, 1].
        ranks: The processes that share the work; by default those of torch.distributed.
        progress: Called as scenes are finished.
        module: What gives the network its inputs; None: the observation alone.

    Returns:
        One proxy per observation, in their order, ``C x H x W`` float32, on disk.

    Raises:
        ValueError: If there is no observation, names repeat, or a proxy is not finite or has another band count.
        StoreError: If the store is unwritable or full.
    """
    _check_observations(observations)
    module = RestorationModule(network) if module is None else module
    settings = {
        "observations": [_identity(scene) for scene in observations],
        "weights": weights_digest(network.eval()),
        "network": _architecture_digest(network),
        "degradation": dict(degradation),
        "tile": tile,
        "clamp": clamp,
        "versions": versions(REVISION),
        **module.input_settings(),
    }
    store = Store(root, "proxies", settings)
    by_name = {scene.name: scene for scene in observations}

    @torch.no_grad()
    def make(name: str, _: Within) -> None:
        begin = time.perf_counter()
        proxy = module.restore(_batch(by_name[name], network), network, tile).squeeze(0).to("cpu", torch.float32)
        _check_proxy(name, proxy, by_name[name].cube)
        proxy = proxy.clamp(0.0, 1.0) if clamp else proxy
        store.write_array(name, proxy, {"seconds": round(time.perf_counter() - begin, 3)})

    entries = complete("Proxies", store, list(by_name), make, ranks or Ranks(), progress)
    return [
        MappedScene(scene.name, entry.path, scene.wavelengths, scene.caption)
        for scene, entry in zip(observations, entries, strict=True)
    ]


def _batch(scene: Observation, network: nn.Module) -> dict[str, Any]:
    """Return an observation as the batch of one that a restorer takes, where the network is."""
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    batch = collate([ObservationDataset([scene])[0]])
    return {key: one.to(device, torch.float32) if isinstance(one, Tensor) else one for key, one in batch.items()}


def _identity(scene: Observation) -> list[Any]:
    """Return what tells an observation from others; the caption counts only beside a second sensor's image."""
    identity: list[Any] = [scene.name, list(scene.wavelengths), tensor_digest(scene.cube)]
    if scene.multispectral is not None:
        # Where the pixels of a pair lie decides how the network enlarges the cube.
        identity += [tensor_digest(scene.multispectral), scene.caption, scene.phase]
    return identity


def _architecture_digest(network: nn.Module) -> str:
    """Return the sha256 of the network's printed structure: equal weights may be put to different uses."""
    structure = re.sub(r" at 0x[0-9a-f]+", "", repr(network))
    return hashlib.sha256(structure.encode()).hexdigest()


def _check_observations(observations: Sequence[Observation]) -> None:
    names = [scene.name for scene in observations]
    if not names:
        raise InputError("There is no observation to make proxies from: name the observed scenes of the DataModule.")
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"Two observations are called {name!r}: give every observed scene a name of its own.")


def _check_proxy(name: str, proxy: Tensor, observation: Tensor) -> None:
    if proxy.ndim != 3 or proxy.shape[0] != observation.shape[0]:
        raise InputError(
            f"The restorer turned scene {name!r} of shape {tuple(observation.shape)} into shape {tuple(proxy.shape)}: "
            "use a network built for this band count."
        )
    if not bool(torch.isfinite(proxy).all()):
        raise InputError(
            f"The proxy of scene {name!r} holds NaN or infinite values: "
            "check the observation and the source checkpoint."
        )
