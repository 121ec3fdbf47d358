"""What the fast spectral transfer costs in quality: adapted PSNR on real CAVE scenes against the plain form's.

Plain is exact retrieval and 200 steps of torch.optim.Adam on autograd gradients; fast is what users run.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from callbacks import PhotometricGuides, SpectralTransfer
from callbacks.transfer import LossWeights, Retrieval
from callbacks.transfer.descriptors import PatchDescriptors
from callbacks.transfer.estimation import EstimationSettings
from callbacks.transfer.refinement import refine
from datamodules import CAVE, MappedScene, generator_for, to_rgb
from experiments.commands.demo import SOURCE
from lightning_modules import SERT, MetricProtocol
from lightning_modules.checkpoints import load_weights
from tests.callbacks.transfer.plain import PlainEstimation

log = logging.getLogger(__name__)
SIDE, STEPS = 80, 64
Carry = Callable[[Tensor, Tensor, Tensor], Tensor]


def source_network() -> SERT:
    network = SERT(dim=32, window_sizes=(8, 16), depths=(2, 2), num_heads=(2, 2), split_sizes=(1, 2))
    load_weights(network, SOURCE)
    return network.eval()


def plain_transfer(cube: Tensor, rgb: Tensor, guide: Tensor) -> Tensor:
    proxy, near = PatchDescriptors(rgb), PatchDescriptors(guide)
    seeds = Retrieval(engine="exact").index(proxy).search(near, 16)
    candidates, distances = (part.view(16, *rgb.shape[1:]) for part in refine(near, proxy, seeds, 1, 16))
    estimation = PlainEstimation(rgb, guide, candidates, distances, LossWeights(), EstimationSettings())
    for _ in range(200):
        estimation.step()
    return estimation.synthesise(cube)


def fast_transfer(cube: Tensor, rgb: Tensor, guide: Tensor) -> Tensor:
    return SpectralTransfer(retrieval=Retrieval(engine="inverted")).estimate(rgb, guide).apply(cube)


def finetuned(data: CAVE, network: nn.Module, scenes: list[MappedScene]) -> nn.Module:
    """The same patches, noise and steps for either transfer: they depend on the seed and their number alone."""
    data.use_training_scenes(scenes)
    network = copy.deepcopy(network).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-4)
    for batch in data.train_dataloader():
        optimizer.zero_grad()
        (network(batch["observation"]) - batch["target"]).abs().mean().backward()
        optimizer.step()
    return network.eval()


@pytest.mark.slow
def test_fast_transfer_changes_adapted_psnr_by_less_than_a_fiftieth_of_a_decibel(shared: Path, tmp_path: Path) -> None:
    data = CAVE(
        str(shared / "data" / "CAVE"), split="all", role="target", observed=["balloons"], unobserved=["flowers"],
        crop=SIDE, patch_size=48, patches_per_epoch=4 * STEPS, batch_size=4, cache=str(tmp_path),
    )  # fmt: skip
    source, protocol = source_network(), MetricProtocol()
    (observation,) = data.observations()
    with torch.no_grad():
        cube = source(observation.cube[None])[0].clamp(0, 1)
    rgb = to_rgb(cube, observation.wavelengths)
    guide = PhotometricGuides()(rgb, 1, generator_for("ablation"))[0]
    scores: dict[str, list[float]] = {}
    carriers: dict[str, Carry] = {"plain": plain_transfer, "fast": fast_transfer}
    for name, carry in carriers.items():
        scenes = []
        for part, content in (("proxy", cube), (name, carry(cube, rgb, guide))):
            np.save(tmp_path / f"{part}.npy", content.numpy())
            scenes.append(MappedScene(part, tmp_path / f"{part}.npy", observation.wavelengths))
        adapted = finetuned(data, source, scenes)
        with torch.no_grad():
            scores[name] = [
                protocol.evaluate(adapted(batch["observation"]), batch["target"])["psnr"]
                for loader in data.test_dataloader()
                for batch in loader
            ]
    for name, row in scores.items():
        log.info("%s transfer: adapted PSNR %.3f dB observed, %.3f dB unobserved", name, *row)
    difference = max(abs(plain - fast) for plain, fast in zip(scores["plain"], scores["fast"], strict=True))
    assert difference < 0.02, scores
