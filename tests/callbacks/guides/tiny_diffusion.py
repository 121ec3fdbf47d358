"""Proxy-diffusion guides small enough for tests: two photographs, eight steps of training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from skimage import data
from torch import Tensor

from callbacks.guides import ProxyDiffusionGuides

TINY: dict[str, Any] = {"channels": (8,), "patch_size": 16, "batch_size": 4, "training_steps": 8, "steps": 10}


class StoppedError(Exception):
    """What the tests raise to interrupt a training."""


def proxies() -> list[Tensor]:
    """Two small photographs, linear in light, of different odd sizes."""
    pictures = (data.astronaut()[:240:5, 100:340:5], data.coffee()[50:350:6, 100:400:6])
    images = [(torch.from_numpy(picture.copy()).permute(2, 0, 1).float() / 255.0) ** 2.2 for picture in pictures]
    return [images[0][:, :47], images[1]]


def weights(guides: ProxyDiffusionGuides) -> dict[str, Tensor]:
    """The averaged weights of fitted guides."""
    assert guides._denoiser is not None
    return guides._denoiser.network.state_dict()


def fitted(folder: Path, **changed: object) -> ProxyDiffusionGuides:
    """Guides trained on both photographs with seed 3."""
    guides = ProxyDiffusionGuides(**{**TINY, **changed})
    guides.fit(proxies(), 3, folder)
    return guides


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    """Whether two state dicts hold the same bits."""
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
