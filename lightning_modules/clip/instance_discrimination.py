"""A small CLIP vision encoder made from nothing, where no published one can be had: instance discrimination.

Random weights hardly see blur, so there is nothing to be finetuned against. Telling photographs apart (Wu et al., CVPR
2018; with two views of each as in SimCLR, Chen et al., ICML 2020) gives a tower features that a few minutes on a CPU
can learn. It knows no language and serves to try `BlurRobustCLIP`, not to make guides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from hyperalign.errors import InputError
from hyperalign.seeding import generator_of_step
from lightning_modules.clip.encoder_module import EncoderModule
from lightning_modules.losses import contrastive_loss

__all__ = ["InstanceDiscrimination", "random_views"]


class InstanceDiscrimination(EncoderModule):
    """Trains an encoder to recognise a photograph among others in two views of each.

    The views differ in framing, mirroring, exposure, contrast and colour, never in sharpness. Validation logs
    `val/recognised`, the share of photographs whose second view is nearest to their first among those of the batch.

    Args:
        checkpoint: `tiny_vision`, a packaged architecture with random weights, or any other encoder.
        temperature: of the softmax over cosines.
        **options: see `EncoderModule`: where weights are read and written, optimiser, schedule, seed.

    Raises:
        ValueError: when the temperature is not above 0.
    """

    def __init__(
        self,
        checkpoint: str = "tiny_vision",
        *,
        temperature: float = 0.1,
        **options: Any,  # noqa: ANN401 - those of EncoderModule
    ) -> None:
        super().__init__(checkpoint, **options)
        if not temperature > 0.0:
            raise InputError(f"InstanceDiscrimination: the temperature {temperature} must be above 0, such as 0.1.")
        self.temperature = temperature

    def training_step(self, batch: Mapping[str, Any], batch_idx: int) -> Tensor:
        """Match the two views of each photograph.

        Raises:
            FloatingPointError: when the loss is not finite.
        """
        first, second = self._views(batch, "views", self.current_epoch, batch_idx)
        scale = torch.tensor(math.log(1 / self.temperature), device=first.device)
        return self.finite(contrastive_loss(first, second, scale, batch["name"]), batch, batch_idx)

    def validation_step(self, batch: Mapping[str, Any], batch_idx: int) -> None:
        """Count the photographs that are recognised."""
        first, second = self._views(batch, "validation", 0, batch_idx)
        found = (first @ second.T).argmax(dim=1).cpu() == torch.arange(len(first))
        self.log("val/recognised", found.float().mean(), prog_bar=True, batch_size=len(first), sync_dist=True)

    def _views(self, batch: Mapping[str, Any], purpose: str, epoch: int, number: int) -> tuple[Tensor, Tensor]:
        """Unit embeddings `B x E` of two views of each image."""
        images, ranks = batch["image"], self.trainer.world_size
        generator = generator_of_step(purpose, self.seed, epoch, number)
        numbers = torch.rand(len(images) * ranks, 2, VIEW_NUMBERS, generator=generator)[self.global_rank :: ranks]
        views = [random_views(images, part) for part in numbers.unbind(1)]
        first, second = functional.normalize(self(torch.cat(views)), dim=-1).chunk(2)
        return first, second


VIEW_NUMBERS = 10
"""Random numbers that one view takes."""


def random_views(images: Tensor, numbers: Tensor) -> Tensor:
    """Frame, mirror and recolour images; a view is not blurred beyond the resampling of a crop.

    Args:
        images: `B x 3 x S x S` in [0, 1].
        numbers: `B x 10`, uniform in [0, 1): what is random.

    Returns:
        `B x 3 x S x S` in [0, 1], float32.
    """
    draws = numbers.to(images.device)
    share = 0.6 + 0.4 * draws[:, 0]
    across, down = ((2 * draws[:, k] - 1) * (1 - share) for k in (1, 2))
    mirror = torch.where(draws[:, 3] < 0.5, -1.0, 1.0)
    zero = torch.zeros_like(share)
    place = torch.stack([share * mirror, zero, across, zero, share, down], dim=1).view(-1, 2, 3)
    grid = functional.affine_grid(place, list(images.shape), align_corners=False)
    views = functional.grid_sample(images.float(), grid, padding_mode="border", align_corners=False)
    gain = torch.exp(0.8 * (draws[:, 4:7] - 0.5) + 0.8 * (draws[:, 7:8] - 0.5))[..., None, None]
    contrast = torch.exp(0.8 * (draws[:, 8] - 0.5))[:, None, None, None]
    views = views * gain
    average = views.mean(dim=(1, 2, 3), keepdim=True)
    views = (average + contrast * (views - average)).clamp(0, 1)
    grey = (draws[:, 9] < 0.3)[:, None, None, None]
    return torch.where(grey, views.mean(dim=1, keepdim=True), views)
