"""HIR-Diff for noise, low resolution and missing entries.

Pang et al., "HIR-Diff: Unsupervised hyperspectral image restoration via improved diffusion models", CVPR 2024.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from lightning_modules.solvers.hir_diff.band_selection import Selection, band_coefficients
from lightning_modules.solvers.hir_diff.guidance import (
    Guidance,
    blurred_and_shrunk,
    denoising_guidance,
    inpainting_guidance,
    super_resolution_guidance,
    variation_weights,
)
from lightning_modules.solvers.hir_diff.sampling import Denoiser, Step, reconstructed, reverse
from lightning_modules.solvers.hir_diff.schedule import Schedule, remaining_signal, reverse_times
from lightning_modules.solvers.result import Progress, SolverError, SolverResult, report

__all__ = ["PUBLISHED", "HIRDiffSettings", "Task", "hir_diff"]

Task = Literal["denoising", "super_resolution", "inpainting"]

DATA_UNIT, VARIATION_UNIT = 16384.0, 512.0
"""What the published weights are multiplied by."""


@dataclass(frozen=True)
class HIRDiffSettings:
    """Numbers of the reverse process.

    Args:
        data_weight: of the data term, in units of 16384 over the entries of the cube.
        variation_weight: of the total variation, in units of 512 over the entries.
        decay: k of the exponential schedule.
        steps: of 1000 times; the run time is proportional to them.
        schedule: see `Schedule`.
        cosine_offset: of the cosine schedule.
        selection: how the three bands are chosen.
        band_weight: of differences along bands in denoising, where the published weight is rounding noise.
        reference_entries: cube size at which the weights hold, C x H x W; others are multiplied by their entries over
            it, which keeps the guidance of an entry. None, as published, lets guidance fall with the size.
        level: what the network is told: `alpha_bar`, as published, or its root, with which the weights were trained.
        seed: of the noise that the process starts from, the same for every scene.
    """

    data_weight: float
    variation_weight: float
    decay: float
    steps: int = 20
    schedule: Schedule = "exponential"
    cosine_offset: float = 0.0
    selection: Selection = "rrqr"
    band_weight: float = 2.0 / 3.0
    reference_entries: int | None = None
    level: Literal["alpha_bar", "root"] = "alpha_bar"
    seed: int = 0


PUBLISHED: dict[Task, HIRDiffSettings] = {
    "denoising": HIRDiffSettings(16.0, 10.0, 8.0),
    "super_resolution": HIRDiffSettings(500.0, 12.0, 8.0),
    "inpainting": HIRDiffSettings(8.0, 6.0, 5.0),
}
"""For noise of 50 / 255 on Houston, a quarter of the resolution on WDC, and 80 % missing on Salinas."""


def hir_diff(
    observation: Tensor,
    network: Denoiser,
    task: Task,
    *,
    mask: Tensor | None = None,
    ratio: int = 4,
    size_multiple: int = 16,
    settings: HIRDiffSettings | None = None,
    start: Tensor | None = None,
    oracle: Tensor | None = None,
    progress: Progress | None = None,
) -> SolverResult:
    """Restore cubes by guided sampling of three of their bands.

    The residual is the root mean square error of the result against what was observed.

    Args:
        observation: `B x C x h x w` in about [0, 1]; where entries are missing, anything finite.
        network: predicts noise; `HIRDiffUNet` with the published weights in eval mode.
        task: what is to be undone.
        mask: like the observation, 1 where observed; for inpainting alone.
        ratio: of super-resolution.
        size_multiple: what the network's sides must be divisible by; other sizes are mirrored up to it and cropped.
        settings: None takes the published ones of the task.
        start: `B x 3 x H x W` to start from, H and W divisible by `size_multiple`; None draws it from the seed.
        oracle: the clean cubes `B x C x H x W`. The published script stops at the iterate that is nearest to them,
            which nobody can do who does not have them: given here, and only then, the result is that oracle's choice.
        progress: called after every step with the largest guidance loss.

    Raises:
        SolverError: the observation, mask or settings are impossible.
    """
    settings = settings or PUBLISHED.get(task)
    if settings is None:
        raise SolverError(f"HIR-Diff knows no task {task!r}; take one of {', '.join(get_args(Task))}.")
    _check(observation, mask, task)
    factor = ratio if task == "super_resolution" else 1
    height, width = observation.shape[-2] * factor, observation.shape[-1] * factor
    padded = _padded(observation, factor, size_multiple)
    padded_mask = None if mask is None else _padded(mask, factor, size_multiple)
    coefficients = torch.stack([band_coefficients(one, settings.selection)[0] for one in observation])
    loss = _guidance(padded, padded_mask, task, factor, settings)
    signals, levels = _noise_levels(settings)
    if start is None:
        start = _start(padded, factor, settings.seed)
    best = _Best(oracle, coefficients)

    def seen(number: int, step: Step) -> None:
        best.look(step.denoised, number)
        report(progress, number, len(signals), step.loss)

    image = reverse(network, start, signals, levels, coefficients, loss, seen)
    best.look(image, len(signals))
    restored = reconstructed(image, coefficients).clamp(0.0, 1.0)[..., :height, :width]
    iterations = torch.full((len(observation),), len(signals), device=observation.device)
    if oracle is not None:
        restored, iterations = best.cubes, best.numbers
    residual = _misfit(restored, observation, mask, factor)
    return SolverResult(restored, residual, iterations, torch.ones_like(iterations, dtype=torch.bool))


class _Best:
    """The published stop: per scene the iterate that is nearest to the clean cube."""

    def __init__(self, clean: Tensor | None, coefficients: Tensor) -> None:
        self.clean, self.coefficients = clean, coefficients
        count = len(coefficients)
        self.errors = torch.full((count,), float("inf"), device=coefficients.device)
        self.numbers = torch.zeros(count, dtype=torch.int64, device=coefficients.device)
        self.cubes = torch.empty(0) if clean is None else torch.zeros_like(clean)

    def look(self, image: Tensor, number: int) -> None:
        """Keep the cubes that are nearer than all before."""
        if self.clean is None:
            return
        height, width = self.clean.shape[-2:]
        cubes = reconstructed(image, self.coefficients).clamp(0.0, 1.0)[..., :height, :width]
        # Mean of the bands' PSNR, as the script compares.
        errors = (cubes - self.clean).square().mean(dim=(-2, -1)).clamp_min(1e-30).log().mean(dim=1)
        better = errors < self.errors
        self.errors = torch.where(better, errors.to(self.errors), self.errors)
        self.numbers[better] = number
        self.cubes[better] = cubes[better]


def _check(observation: Tensor, mask: Tensor | None, task: Task) -> None:
    """Refuse what cannot be restored."""
    if observation.ndim != 4 or not observation.is_floating_point():
        raise SolverError(
            f"HIR-Diff got {observation.dtype} of shape {list(observation.shape)}; give B x C x h x w floating point."
        )
    if not bool(torch.isfinite(observation).all()):
        raise SolverError("The observation given to HIR-Diff holds NaN or infinite values; repair or mask them.")
    if (task == "inpainting") != (mask is not None):
        raise SolverError(
            f"HIR-Diff's task {task} and a mask {'is' if mask is not None else 'not'} given do not fit; "
            "give a mask for inpainting and for nothing else."
        )
    if mask is not None and mask.shape != observation.shape:
        raise SolverError(
            f"HIR-Diff got a mask of shape {list(mask.shape)} for {list(observation.shape)}; give one of its shape."
        )


def _guidance(observation: Tensor, mask: Tensor | None, task: Task, ratio: int, settings: HIRDiffSettings) -> Guidance:
    """The loss of a task."""
    scale = 1.0
    if settings.reference_entries is not None:
        scale = observation[0].numel() * ratio**2 / settings.reference_entries
    data, variation = DATA_UNIT * settings.data_weight * scale, VARIATION_UNIT * settings.variation_weight * scale
    if mask is not None:
        return inpainting_guidance(observation, mask.to(observation), data, variation)
    if task == "super_resolution":
        return super_resolution_guidance(observation, ratio, data, variation)
    return denoising_guidance(observation, data, variation, variation_weights(observation, settings.band_weight))


def _noise_levels(settings: HIRDiffSettings) -> tuple[list[float], list[float]]:
    """Share of the signal at the visited times, and what the network is told."""
    signal = remaining_signal(settings.schedule, decay=settings.decay, offset=settings.cosine_offset)
    signals = signal[reverse_times(len(signal), settings.steps)].tolist()
    return signals, [one**0.5 for one in signals] if settings.level == "root" else signals


def _start(observation: Tensor, ratio: int, seed: int) -> Tensor:
    """The same noise for every scene, drawn on the CPU."""
    size = (3, observation.shape[-2] * ratio, observation.shape[-1] * ratio)
    drawn = torch.randn(size, generator=torch.Generator().manual_seed(seed))
    return drawn.to(observation).expand(len(observation), *size)


def _padded(images: Tensor, ratio: int, multiple: int) -> Tensor:
    """Mirror images, edge pixel included, until the restored sides are divisible."""
    for axis in (-2, -1):
        size = images.shape[axis]
        wanted = -(-size * ratio // multiple) * multiple
        index = torch.arange(-(-wanted // ratio), device=images.device).remainder(2 * size)
        images = images.index_select(axis, torch.where(index < size, index, 2 * size - 1 - index))
    return images


def _misfit(restored: Tensor, observation: Tensor, mask: Tensor | None, ratio: int) -> Tensor:
    """Root mean square error against what was observed, `B`."""
    if ratio > 1:
        restored = blurred_and_shrunk(restored, ratio)
    error = (restored - observation).square().flatten(1)
    if mask is None:
        return error.mean(dim=1).sqrt()
    seen = mask.to(error).flatten(1)
    return ((error * seen).sum(dim=1) / seen.sum(dim=1).clamp_min(1.0)).sqrt()
