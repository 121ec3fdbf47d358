"""The work of stage (i) of HIR-ALIGN, without a Trainer: restoring every observation into a proxy scene (Eq. 3)."""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from callbacks.adaptation.stages import Within, complete, versions
from callbacks.adaptation.store import Store
from callbacks.progress import Progress
from datamodules.sampling.batches import collate
from datamodules.sampling.full_scenes import ObservationDataset
from datamodules.scenes.scene import MappedScene, Observation
from hyperalign.errors import InputError
from hyperalign.files import tensor_digest
from hyperalign.ranks import Ranks
from lightning_modules.restorer import NetworkRestorer, Restorer

REVISION = 1
"""Raised whenever the proxies of unchanged settings would come out differently."""


def make_proxies(
    restorer: Restorer | nn.Module,
    observations: Sequence[Observation],
    root: str | Path,
    *,
    degradation: Mapping[str, Any],
    tile: int | None = None,
    clamp: bool = True,
    ranks: Ranks | None = None,
    progress: Progress | None = None,
    scale: int | None = None,
) -> list[MappedScene]:
    """Restore every observation (HIR-ALIGN, Eq. 3), or find its proxy in the store.

    Args:
        restorer: what restores them; a plain network is given the observation alone.
        observations: the degraded target scenes or pairs, with distinct names.
        root: the store's root folder.
        degradation: the task's settings, part of the store's key.
        tile: side of the square tiles (observation pixels) a scene is restored in; None takes the restorer's own.
        clamp: whether the proxies are clamped to [0, 1].
        ranks: the processes that share the work; by default those of torch.distributed.
        progress: called as scenes are finished.
        scale: sides of a proxy over those of its observation; None takes any whole number.

    Returns:
        One proxy per observation, in their order, `C x H x W` float32, on disk.

    Raises:
        ValueError: if there is no observation, names repeat, or a proxy is not finite or has other bands or sides.
        StoreError: if the store is unwritable or full.
    """
    _check_observations(observations)
    restorer = _as_restorer(restorer)
    tile = tile or restorer.tile
    settings = {
        "observations": [_identity(scene) for scene in observations],
        "degradation": dict(degradation),
        "tile": tile,
        "clamp": clamp,
        "versions": versions(REVISION),
        **restorer.identity(),
    }
    store = Store(root, "proxies", settings)
    by_name = {scene.name: scene for scene in observations}

    def make(name: str, _: Within) -> None:
        begin = time.perf_counter()
        batch = collate([ObservationDataset([by_name[name]])[0]])
        proxy = restorer.restore(batch, tile).squeeze(0).to("cpu", torch.float32)
        _check_proxy(name, proxy, batch["observation"][0], scale)
        proxy = proxy.clamp(0.0, 1.0) if clamp else proxy
        store.write_array(name, proxy, {"seconds": round(time.perf_counter() - begin, 3)})

    space = partial(_check_space, store, by_name, int(degradation.get("scale", 1)))
    entries = complete("Proxies", store, list(by_name), make, ranks or Ranks(), progress, space)
    return [
        MappedScene(scene.name, entry.path, scene.wavelengths, scene.caption)
        for scene, entry in zip(observations, entries, strict=True)
    ]


def _check_space(store: Store, scenes: Mapping[str, Observation], scale: int, missing: Sequence[str]) -> None:
    store.check_space(sum(4 * scenes[name].values * scale**2 for name in missing), "proxies")


def _as_restorer(restorer: Restorer | nn.Module) -> Restorer:
    return restorer if isinstance(restorer, Restorer) else NetworkRestorer(restorer.eval())


def _identity(scene: Observation) -> list[Any]:
    """Return what tells an observation from others; the caption counts only beside a second sensor's image."""
    identity: list[Any] = [scene.name, list(scene.wavelengths), tensor_digest(scene.cube)]
    if scene.multispectral is not None:
        # Where the pixels of a pair lie decides how the network enlarges the cube.
        identity += [tensor_digest(scene.multispectral), scene.caption, scene.phase]
    return identity


def _check_observations(observations: Sequence[Observation]) -> None:
    names = [scene.name for scene in observations]
    if not names:
        raise InputError("There is no observation to make proxies from: name the observed scenes of the DataModule.")
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"Two observations are called {name!r}: give every observed scene a name of its own.")


def _check_proxy(name: str, proxy: Tensor, observation: Tensor, scale: int | None) -> None:
    if proxy.ndim != 3 or proxy.shape[0] != observation.shape[0]:
        raise InputError(
            f"The restorer turned scene {name!r} of shape {tuple(observation.shape)} into shape {tuple(proxy.shape)}: "
            "use a network built for this band count."
        )
    height, width = observation.shape[1:]
    scale = scale or max(1, proxy.shape[1] // height)
    if tuple(proxy.shape[1:]) != (scale * height, scale * width):
        wanted = "as many" if scale == 1 else f"{scale} times as many a side"
        raise InputError(
            f"The proxy of scene {name!r} has {proxy.shape[1]} x {proxy.shape[2]} pixels where its observation has "
            f"{height} x {width}: restore {wanted}."
        )
    if not bool(torch.isfinite(proxy).all()):
        raise InputError(
            f"The proxy of scene {name!r} holds NaN or infinite values: "
            "check the observation and the source checkpoint."
        )
