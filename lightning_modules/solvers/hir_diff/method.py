"""HIR-Diff as a module, so that it stands wherever a network does and by config."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Literal

import torch
from torch import Tensor

from lightning_modules.networks.generation.hir_diff import HIRDiffUNet
from lightning_modules.solvers.hir_diff.restoration import PUBLISHED, Task, hir_diff
from lightning_modules.solvers.methods import TrainingFree
from lightning_modules.solvers.result import Progress, SolverResult

__all__ = ["HIRDiff"]


def _inner_names() -> Iterator[tuple[str, str]]:
    """Names of the denoiser's table, as they stand below `network`."""
    for pattern, name in HIRDiffUNet.official_names[1:]:
        yield pattern, f"network.{name}" if pattern.startswith("^") else name


class HIRDiff(TrainingFree):
    """HIR-Diff; its denoiser's weights are those of the module that runs it (`SolverModule(source=...)`).

    In inpainting, entries that are exactly 0 in the observation are those that are missing.

    Args:
        task: what is to be undone.
        network: the denoiser; None builds the published one.
        ratio: of super-resolution.
        data_weight: see `HIRDiffSettings`, as all that follow; None takes the task's published value.
        variation_weight: see there.
        decay: see there.
        steps: see there.
        reference_entries: see there.
        level: see there.
        seed: see there.
    """

    official_names = (
        (r"^(denoise_fn\.)?", "network."),
        *((pattern.replace("^", r"^network\."), name) for pattern, name in _inner_names()),
    )
    """Published names and ours, see `lightning_modules.checkpoints`."""

    def __init__(
        self,
        task: Task = "denoising",
        network: HIRDiffUNet | None = None,
        ratio: int = 4,
        data_weight: float | None = None,
        variation_weight: float | None = None,
        decay: float | None = None,
        steps: int = 20,
        reference_entries: int | None = None,
        level: Literal["alpha_bar", "root"] = "alpha_bar",
        seed: int = 0,
    ) -> None:
        published = PUBLISHED[task]
        numbers = replace(
            published,
            data_weight=published.data_weight if data_weight is None else data_weight,
            variation_weight=published.variation_weight if variation_weight is None else variation_weight,
            decay=published.decay if decay is None else decay,
            steps=steps,
            reference_entries=reference_entries,
            level=level,
            seed=seed,
        )
        super().__init__(task=task, ratio=ratio, **asdict(numbers))
        self.numbers = numbers
        self.network = network if network is not None else HIRDiffUNet()
        self.task, self.ratio = task, ratio

    def solve(self, observation: Tensor, progress: Progress | None = None) -> SolverResult:
        """Restore observations `B x C x h x w` and say what was reached."""
        # Guidance is a gradient, which inference mode around it would forbid.
        with torch.inference_mode(False), torch.autocast(observation.device.type, enabled=False):
            cubes = observation.float().clone()
            mask = (cubes != 0).to(cubes) if self.task == "inpainting" else None
            return hir_diff(
                cubes,
                self.network.eval(),
                self.task,
                mask=mask,
                ratio=self.ratio,
                size_multiple=self.network.size_multiple,
                settings=self.numbers,
                progress=progress,
            )
