"""The recorded guided steps of HIR-Diff: the drawn network and the observations, rebuilt from their recipe."""

from __future__ import annotations

import zlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.random import RandomState
from torch import Tensor

from lightning_modules.networks import HIRDiffUNet
from lightning_modules.solvers.hir_diff.guidance import blurred_and_shrunk
from lightning_modules.solvers.hir_diff.restoration import Task
from tests.published import Case, published_case

RECORDED: dict[Task, str] = {"denoising": "denoise", "super_resolution": "sr", "inpainting": "inpainting"}
"""Our names of the tasks and those of the recording."""


def tiny() -> HIRDiffUNet:
    """The recorded small network."""
    return HIRDiffUNet(
        width=32, multipliers=(1, 2), attention_sizes=(8,), blocks=1, groups=8, dropout=0.2, image_size=16
    )


def recorded_step(golden: ModuleType, shared: Path) -> Case[HIRDiffUNet]:
    return published_case(golden, shared / "golden" / "diffusion", "hirdiff_step", lambda _spec: tiny())


def stream(name: str) -> RandomState:
    return RandomState(zlib.crc32(f"0:{name}".encode()))


def start(spec: dict[str, Any]) -> Tensor:
    drawn = stream("input:noise").standard_normal(tuple(spec["input"]["shape"])).astype(np.float32)
    return 0.3 * torch.from_numpy(drawn)


def cube(golden: ModuleType, bands: int, side: int) -> Tensor:
    """The recorded clean cube, `1 x bands x side x side`."""
    abundance = golden.draw_input("abundance", (1, 4, side, side), 0)[0].double().numpy()
    places = np.arange(bands) / (bands - 1)
    centres, widths = (0.1, 0.35, 0.6, 0.9), (0.12, 0.2, 0.15, 0.25)
    spectra = np.stack(
        [np.exp(-(((places - centre) / width) ** 2)) for centre, width in zip(centres, widths, strict=True)], axis=1
    )
    mixed = np.einsum("ck,khw->chw", spectra, abundance)
    noise = stream("cube noise").standard_normal(mixed.shape)
    return torch.from_numpy((mixed / mixed.max() + 0.02 * noise).astype(np.float32))[None]


def observed(golden: ModuleType, task: Task) -> tuple[Tensor, Tensor | None]:
    """The recorded observation of a task and its mask."""
    clean = cube(golden, 31, 16)
    if task == "denoising":
        return clean + 0.1 * torch.from_numpy(stream("degrade").standard_normal(clean.shape).astype(np.float32)), None
    if task == "super_resolution":
        return blurred_and_shrunk(clean, 4), None
    mask = torch.from_numpy((stream("mask").uniform(size=clean.shape) > 0.8).astype(np.float32))
    return clean * mask, mask
