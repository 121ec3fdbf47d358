"""A whole adaptation of pairs, small enough for tests: the scenes of `tiny`, seen by two sensors, with captions."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from datamodules import FusionObservation, generator_for
from lightning_modules import ClipTowers, FusionModule
from tests.callbacks.tiny import MiniScenes, tiny_data

RATIO = 4


class MiniFusion(nn.Module):
    """A convolution over both images and the mean of the text, with everything that a text network brings."""

    use_text, use_msi = True, True

    def __init__(self, bands: int = 8, channels: int = 3, width: int = 32) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(bands + channels, bands, 3, padding=1)
        self.of_text = nn.Linear(width, bands)
        self.of_image = nn.Linear(width, bands)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def forward(self, observation: Tensor, multispectral: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        assert tokens.shape[:2] == mask.shape
        enlarged = functional.interpolate(observation, scale_factor=RATIO, mode="bilinear")
        words = (tokens * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
        mixed = self.convolution(torch.cat((enlarged, multispectral), dim=1))
        restored: Tensor = enlarged + mixed + 0.01 * self.of_text(words)[..., None, None]
        return restored

    def embed(self, tokens: Tensor, mask: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        words = (self.of_text(tokens) * mask[..., None]).sum(dim=1)
        return functional.normalize(words, dim=-1), functional.normalize(self.of_image(image), dim=-1)


class MiniPair(nn.Module):
    """A fusion network that reads no text."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(11, 8, 3, padding=1)

    def forward(self, observation: Tensor, multispectral: Tensor) -> Tensor:
        enlarged = functional.interpolate(observation, scale_factor=RATIO, mode="bilinear")
        restored: Tensor = enlarged + self.convolution(torch.cat((enlarged, multispectral), dim=1))
        return restored


def fusion_data(folder: Path, **changes: Any) -> MiniScenes:  # noqa: ANN401
    """The tiny scenes at a ratio of 4; eight patches an epoch."""
    observation = FusionObservation(RATIO, "block_mean", response="nikon_d700", multispectral_snr=40.0)
    settings: dict[str, Any] = {"degradation": observation, "patches_per_epoch": 8, "batch_size": 4}
    return tiny_data(folder, **(settings | changes))


def tiny_towers(folder: Path) -> ClipTowers:
    """Random towers that keep their embeddings in a folder."""
    return ClipTowers("tiny-random", None, cache=str(folder / "clip"))


def fusion_source(folder: Path, network: nn.Module) -> str:
    """Write the same source weights of a network whenever it is called."""
    generator = generator_for("tiny fusion source")
    state = {key: 0.1 * torch.randn(value.shape, generator=generator) for key, value in network.state_dict().items()}
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(state, folder / "fusion_source.pt")
    return str(folder / "fusion_source.pt")


def fusion_module(folder: Path, network: nn.Module | None = None, **changes: Any) -> FusionModule:  # noqa: ANN401
    """A module with source weights."""
    torch.manual_seed(0)
    network = MiniFusion() if network is None else network
    settings: dict[str, Any] = {
        "towers": tiny_towers(folder),
        "source": fusion_source(folder, network),
        "optimizer": lambda parameters: torch.optim.Adam(parameters, lr=1e-2),
    }
    return FusionModule(network, **(settings | changes))
