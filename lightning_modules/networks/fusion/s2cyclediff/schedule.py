"""The noise schedule of S2CycleDiff and its samplers: the published chain of all steps, and DDIM on some of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["NoiseSchedule"]


class NoiseSchedule(nn.Module):
    """Linear schedule of a diffusion whose networks predict the clean cube x0.

    Args:
        steps: of the diffusion.
        first: beta of the first step.
        last: beta of the last step.
    """

    levels: Tensor
    previous: Tensor
    weight_x0: Tensor
    weight_xt: Tensor
    log_variance: Tensor

    def __init__(self, steps: int = 2000, first: float = 1e-4, last: float = 2e-3) -> None:
        super().__init__()
        self.steps = steps
        betas = torch.linspace(first, last, steps, dtype=torch.float64)
        kept = torch.cumprod(1 - betas, dim=0)
        before = torch.cat((torch.ones(1, dtype=torch.float64), kept[:-1]))
        variance = betas * (1 - before) / (1 - kept)
        for name, values in (
            ("levels", kept.sqrt()),
            ("previous", before.sqrt()),
            ("weight_x0", betas * before.sqrt() / (1 - kept)),
            ("weight_xt", (1 - before) * (1 - betas).sqrt() / (1 - kept)),
            ("log_variance", variance.clamp(min=1e-20).log()),
        ):
            self.register_buffer(name, values.float(), persistent=False)

    def noised(self, clean: Tensor, steps: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Noise a batch for training.

        Args:
            clean: `B x C x H x W`.
            steps: number of each image's step, from 0, `B`.
            noise: standard normal, shaped like `clean`.

        Returns:
            The noised batch, and the signal's level of each image, `B`.
        """
        levels = self.levels[steps]
        factor = levels.view(-1, 1, 1, 1)
        return factor * clean + (1 - factor.square()).sqrt() * noise, levels

    def mean(self, predicted: Tensor, noisy: Tensor, step: int) -> Tensor:
        """Return the mean of the posterior of the step before, from the predicted x0, which is clamped to [-1, 1]."""
        return self.weight_x0[step] * predicted.clamp(-1, 1) + self.weight_xt[step] * noisy

    def ancestral(self, predicted: Tensor, noisy: Tensor, noise: Tensor, step: int) -> Tensor:
        """Draw the step before from the posterior; the mean alone at step 0."""
        mean = self.mean(predicted, noisy, step)
        return mean + noise * (0.5 * self.log_variance[step]).exp() if step else mean

    def implicit(self, predicted: Tensor, noisy: Tensor, step: int, following: int | None) -> Tensor:
        """Go from a step to a lower one without noise (DDIM, Song et al., ICLR 2021, Eq. 12); to x0 if None."""
        clean = predicted.clamp(-1, 1)
        if following is None:
            return clean
        level, target = self.levels[step], self.levels[following]
        direction = (noisy - level * clean) / (1 - level.square()).sqrt()
        return target * clean + (1 - target.square()).sqrt() * direction

    def subset(self, count: int) -> list[int]:
        """Return `count` steps from the last to the first, evenly spread."""
        return torch.linspace(self.steps - 1, 0, count).round().long().tolist()
