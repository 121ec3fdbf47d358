"""A whole adaptation small enough for tests: eight bands, 24 x 24 pixels, one convolution, five transfer steps."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, Trainer
from torch import Tensor, nn

from callbacks import DistributionAdaptiveSynthesis, PhotometricGuides, ProxyGeneration, SpectralTransfer
from callbacks.adaptation.synthesis import Training
from datamodules import NonIIDGaussian, Scene, SceneDataModule, generator_for
from hyperalign.ranks import Ranks
from lightning_modules import RestorationModule

WAVELENGTHS = tuple(float(band) for band in (460, 490, 520, 550, 580, 610, 640, 670))
SIDE = 24


class MiniScenes(SceneDataModule):
    """Six scenes of smooth spectra on smooth shapes, made from their names."""

    wavelengths = WAVELENGTHS

    def scene_names(self) -> tuple[str, ...]:
        return ("amber", "birch", "coral", "delta", "ember", "flint")

    def read_scene(self, name: str) -> Scene:
        generator = generator_for("tiny", name)
        position = torch.arange(SIDE) / SIDE
        phase = torch.rand(4, generator=generator) * 2 * math.pi
        shape = torch.stack(
            [torch.sin(3 * math.pi * (position[:, None] + k * position) + phase[k]) for k in range(4)]
        ).add(1.0)
        spectra = torch.rand(8, 4, generator=generator)
        cube = torch.einsum("ck,kyx->cyx", spectra, shape) / 8
        return Scene(name, cube.clamp(0, 1), WAVELENGTHS, caption=f"the scene {name}")

    def fingerprint(self, name: str) -> str:
        return "1"


class MiniNetwork(nn.Module):
    """A residual convolution."""

    def __init__(self, bands: int = 8) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(bands, bands, 3, padding=1)

    def forward(self, observation: Tensor) -> Tensor:
        restored: Tensor = observation + self.convolution(observation)
        return restored


def source_checkpoint(folder: Path) -> str:
    """Write the same source weights whenever it is called."""
    generator = generator_for("tiny source")
    network = MiniNetwork()
    state = {key: 0.02 * torch.randn(value.shape, generator=generator) for key, value in network.state_dict().items()}
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(state, folder / "source.pt")
    return str(folder / "source.pt")


def tiny_data(folder: Path, **changes: Any) -> MiniScenes:  # noqa: ANN401
    """Three observed scenes, two unobserved ones."""
    settings: dict[str, Any] = {
        "role": "target",
        "degradation": NonIIDGaussian(),
        "observed": ["amber", "birch", "coral"],
        "unobserved": ["delta", "ember"],
        "patch_size": 16,
        "patches_per_epoch": 16,
        "batch_size": 4,
        "cache": str(folder / "cache"),
        "seed": 3,
    }
    return MiniScenes(**(settings | changes))


def tiny_module(folder: Path, source: bool = True) -> RestorationModule:
    """A module whose learning rate falls with every step, so that a wrong schedule shows."""
    torch.manual_seed(0)
    return RestorationModule(
        MiniNetwork(),
        optimizer=lambda parameters: torch.optim.Adam(parameters, lr=1e-2),
        scheduler=lambda optimizer: torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9),
        source=source_checkpoint(folder) if source else None,
    )


def weights_of(module: RestorationModule) -> Tensor:
    """Return a copy of all weights, as one vector."""
    return torch.cat([value.detach().flatten() for value in module.network.state_dict().values()])


def tiny_transfer() -> SpectralTransfer:
    """Five steps on four candidates."""
    return SpectralTransfer(seeds=4, candidates=4, kernel_size=3, steps=5)


def stages(store: Path, rounds: int = 1, ratio: int = 2, training: Training = "mixed") -> list[Callback]:
    """Both stages, in order."""
    return [
        ProxyGeneration(str(store), rounds=rounds),
        DistributionAdaptiveSynthesis(PhotometricGuides(displacement=2), tiny_transfer(), ratio, training),
    ]


def tiny_trainer(folder: Path, callbacks: list[Callback], **changes: Any) -> Trainer:  # noqa: ANN401
    """A silent CPU Trainer."""
    settings: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "max_epochs": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "default_root_dir": folder,
        "callbacks": callbacks,
    }
    return Trainer(**(settings | changes))


def store_files(store: Path) -> dict[str, str]:
    """Return the sha256 of every data file in a store, by path."""
    return {
        str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(store.rglob("*"))
        if path.suffix in {".npy", ".pt"}
    }


def leftovers(store: Path) -> list[str]:
    """Return the temporary files in a store."""
    return [path.name for path in store.rglob("*.tmp")]


class NumberedRanks(Ranks):
    """Pretends to be one of several processes."""

    def __init__(self, rank: int, size: int) -> None:
        super().__init__()
        self.rank, self.size = rank, size
