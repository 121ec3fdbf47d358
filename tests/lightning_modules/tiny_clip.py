"""A tiny CLIP vision encoder saved as users have it, and made photographs to train it on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from lightning import LightningDataModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from datamodules.sampling.batches import EvaluationSampler
from datamodules.sampling.patches import PatchSampler, resumed
from hyperalign.ranks import world
from lightning_modules import BlurRobustCLIP, LinearWarmupCosine
from lightning_modules.clip.blur import gaussian_blur

SIDE = 32
MEAN, SPREAD = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]


def save_tiny_encoder(folder: Path, seed: int = 0, layers: int = 2, factor: float = 2.0) -> Path:
    """Write an encoder as a pipeline's `image_encoder`; by default its weights are large enough for blur to matter."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    config = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        projection_dim=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        image_size=SIDE,
        patch_size=8,
        initializer_factor=factor,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        CLIPVisionModelWithProjection(config).save_pretrained(folder / "image_encoder")
    (folder / "feature_extractor").mkdir()
    processor = {"image_processor_type": "CLIPImageProcessor", "image_mean": MEAN, "image_std": SPREAD}
    (folder / "feature_extractor" / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder


def made_images(count: int, seed: int) -> Tensor:
    """Pictures of overlapping regions with sharp edges and flat colours, `count x 3 x 32 x 32` in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    picture = torch.full((count, 3, SIDE, SIDE), 0.5)
    for sigma in (6.0, 4.0, 3.0, 2.0):
        noise = torch.randn(count, 1, SIDE, SIDE, generator=generator)
        field = gaussian_blur(noise, torch.full((count,), sigma))
        colour = torch.rand(count, 3, 1, 1, generator=generator)
        picture = torch.where(field > 0.5 * field.std(dim=(2, 3), keepdim=True), colour, picture)
    return picture


class MadeImages(Dataset[dict[str, Any]]):
    """The pictures with names; numbers beyond their count go round again."""

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, number: int) -> dict[str, Any]:
        place = number % len(self.images)
        return {"image": self.images[place], "name": f"made {place}"}


class MadePhotographs(LightningDataModule):
    """Pictures to train on and others to validate on, dealt as `COCO2017` deals photographs."""

    def __init__(self, batch_size: int = 8, train: Tensor | None = None, held_out: Tensor | None = None) -> None:
        super().__init__()
        self.batch_size = batch_size
        self.train = MadeImages(made_images(16, 1) if train is None else train)
        self.held_out = MadeImages(made_images(12, 2) if held_out is None else held_out)

    def train_dataloader(self) -> DataLoader[dict[str, Any]]:
        sampler = PatchSampler(self.train, *world())
        if self.trainer is not None:
            sampler.resume(*resumed(self.trainer, self.batch_size))
        return DataLoader(self.train, self.batch_size, sampler=sampler)

    def val_dataloader(self) -> DataLoader[dict[str, Any]]:
        sampler = EvaluationSampler(self.held_out, *world())
        return DataLoader(self.held_out, min(self.batch_size, 7), sampler=sampler)


def tiny_blur_robust(folder: Path, **settings: Any) -> BlurRobustCLIP:  # noqa: ANN401
    """The module on a saved encoder, with levels that 32 pixels can show."""
    known: dict[str, Any] = {
        "optimizer": lambda parameters: torch.optim.Adam(parameters, lr=1e-3),
        "sigma": (0.5, 3.0),
        "validation_sigmas": (1.0, 3.0),
        "output": str(folder / "result"),
    }
    return BlurRobustCLIP(str(folder), **(known | settings))


def tiny_trainer(root: Path, **settings: Any) -> Trainer:  # noqa: ANN401
    """A quiet trainer on the CPU."""
    known: dict[str, Any] = {
        "default_root_dir": root,
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
    }
    return Trainer(**(known | settings))


def scores_after(module: BlurRobustCLIP, root: Path, data: Any, **settings: Any) -> dict[str, float]:  # noqa: ANN401
    """Fit and return the validation scores of the end."""
    trainer = tiny_trainer(root, **({"check_val_every_n_epoch": settings["max_epochs"]} | settings))
    trainer.fit(module, data)
    return {name.removeprefix("val/"): float(value) for name, value in trainer.callback_metrics.items()}


def gentle_recipe(steps: int) -> dict[str, Any]:
    """A recipe whose step size rises and falls once."""
    return {
        "optimizer": lambda parameters: torch.optim.Adam(parameters, lr=3e-4),
        "scheduler": lambda optimizer: LinearWarmupCosine(optimizer, 5, steps),
        "sigma": (1.0, 4.0),
    }
