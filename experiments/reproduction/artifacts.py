"""What a run's stages made, kept small for a page: proxies, guides, synthesised scenes, places in a plane, noise."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hyperalign.files import replacing, write_text
from hyperalign.rgb import displayed
from hyperalign.trainers import callbacks_of

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

    from callbacks.adaptation.synthesised_scenes import Synthesised
    from callbacks.adaptation.training_scenes import AfterProxies

EXAMPLES = 2
"""Proxies shown with what was made of them."""

SIDE = 128
"""Height and width, at most, of what is shown."""

PIXELS = 120
"""Spectra of each set in the plane."""

PATCHES = 48
"""RGB patches of each set in the plane."""


def keep(trainer: Trainer, folder: Path) -> dict[str, Any]:
    """Keep what the stages of a finished run made, and return facts about it.

    Writes `stages.npz` (pictures of 8 bits: `0/proxy`, `0/guide/0`, `0/synthesised/0`, ...), `plane.json` (t-SNE of
    spectra and of RGB patches) and `noise.json` (where the noise was estimated), each where there is such a thing.

    Args:
        trainer: of the run.
        folder: where the files go.

    Returns:
        Numbers: steps trained, and of the transport its kappa, support and PSNR to the guides.
    """
    facts: dict[str, Any] = {"steps": trainer.global_step}
    after = _after_proxies(trainer)
    if after is not None:
        facts |= _kept_stages(after, folder)
        _kept_plane(trainer, after, folder)
    _kept_noise(trainer, folder)
    return facts


def _after_proxies(trainer: Trainer) -> AfterProxies | None:
    from callbacks.adaptation.training_scenes import AfterProxies

    return next((one for one in callbacks_of(trainer) if isinstance(one, AfterProxies)), None)


def _kept_stages(after: AfterProxies, folder: Path) -> dict[str, float]:
    from callbacks.adaptation.synthesis import DistributionAdaptiveSynthesis
    from callbacks.adaptation.synthesised_scenes import by_proxy

    if not isinstance(after, DistributionAdaptiveSynthesis) or not after.synthesised:
        return {}
    pictures: dict[str, NDArray[np.uint8]] = {}
    for number, group in enumerate(by_proxy(after.synthesised)[:EXAMPLES]):
        pictures |= {f"{number}/{name}": picture for name, picture in _example(group).items()}
    with replacing(folder / "stages.npz") as file:
        np.savez_compressed(file, **pictures)  # type: ignore[arg-type]  # numpy types the names as its own options
    metadata = [one.metadata for one in after.synthesised]
    return {
        "kappa": max(float(one["kappa"]) for one in metadata),
        "support": fmean(float(one["support"]) for one in metadata),
        "alignment_psnr": fmean(float(one["psnr"]) for one in metadata),
    }


def _example(group: Sequence[Synthesised]) -> dict[str, NDArray[np.uint8]]:
    import torch

    from callbacks.reporting.drawing import pseudo_rgb

    proxy = group[0].proxy.load()
    found = {"proxy": _bytes(pseudo_rgb(proxy.cube, proxy.wavelengths))}
    for number, one in enumerate(group):
        found[f"guide/{number}"] = _bytes(displayed(torch.from_numpy(np.load(one.guide, allow_pickle=False))))
        found[f"synthesised/{number}"] = _bytes(pseudo_rgb(one.scene.load().cube, proxy.wavelengths))
    return found


def _bytes(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    step = max(1, -(-max(picture.shape[:2]) // SIDE))
    return np.round(picture[::step, ::step] * 255).astype(np.uint8)


def _kept_plane(trainer: Trainer, after: AfterProxies, folder: Path) -> None:
    """Places of degraded, proxy, synthesised and clean samples in a plane (HIR-ALIGN, Figure 4)."""
    import torch

    from callbacks.adaptation.stages import target_data
    from callbacks.reporting.diagnostics.embedding import project
    from callbacks.reporting.diagnostics.samples import candidates, draw, patch_features

    data = target_data(trainer)
    made = after.made_scenes
    proxies = list({one.proxy.name: one.proxy for one in getattr(after, "synthesised", [])}.values())
    if not proxies:
        return
    sets = candidates(data, proxies, made, "synthesised", clean=True)
    samples = {
        name: draw(scenes, data.wavelengths, patches=PATCHES, patch_size=32, pixels=PIXELS, seed=0)
        for name, scenes in sets.items()
    }
    spaces = {
        "spectra": {name: one.spectra for name, one in samples.items()},
        "patches": {name: patch_features(one.rgb, None) for name, one in samples.items()},
    }
    plane: dict[str, Any] = {}
    for space, points in spaces.items():
        places = project(torch.cat(list(points.values())), "tsne")
        parts = places.split([len(one) for one in points.values()])
        plane[space] = {name: np.round(part.numpy(), 3).tolist() for name, part in zip(points, parts, strict=True)}
    write_text(folder / "plane.json", json.dumps(plane))


def _kept_noise(trainer: Trainer, folder: Path) -> None:
    """Estimated noise of every observation, band by band."""
    from callbacks.reporting.noise_report import estimate_of_task
    from hyperalign.trainers import datamodule_of

    estimate = estimate_of_task(getattr(datamodule_of(trainer), "degradation", None))
    if estimate is None:
        return
    scenes = {
        scene.name: {"family": scene.family, "sigma": [None if band.missing else band.sigma for band in scene.bands]}
        for scene in estimate.scenes
    }
    write_text(folder / "noise.json", json.dumps(scenes))


def degradation_of(trainer: Trainer) -> Mapping[str, Any]:
    """Return the settings of a run's task, JSON-able as far as they are."""
    from hyperalign.trainers import datamodule_of

    task = getattr(datamodule_of(trainer), "degradation", None)
    if task is None:
        return {}
    known: dict[str, Any] = json.loads(json.dumps(task.settings(), default=str))
    return {"kind": type(task).__name__, **known}
