"""How well the noise of an observation is measured, where it is known: every scene of a table beside the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from datamodules.degradations import Degradation

SHARES = ("stripe_share", "dead_share", "impulse_share")
HEADER = (
    "| task | scene | looks like | sigma, median error over bands | worst band | stripes | dead lines | impulses |\n"
    "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |\n"
)


@dataclass(frozen=True)
class Accuracy:
    """What was measured of one scene beside the truth.

    Attributes:
        task: name of the task.
        scene: its name.
        family: the task that it was recognised as.
        sigmas: relative error of the standard deviation of every band; NaN where there is no noise.
        shares: measured over true sum of the shares of all bands, by `SHARES`; NaN where there is none.
    """

    task: str
    scene: str
    family: str
    sigmas: NDArray[np.float64]
    shares: tuple[float, ...]


def accuracy(cubes: Mapping[str, Tensor], task: Degradation, name: str, seed: int) -> list[Accuracy]:
    """Degrade every cube, measure its noise and compare.

    Args:
        cubes: clean, `C x H x W`.
        task: any kind of noise; of other tasks only what the scene looks like is known.
        name: of the task.
        seed: decides the noise.
    """
    from datamodules.estimation.estimate import scene_noise
    from hyperalign.seeding import generator_for

    found = []
    for scene, cube in cubes.items():
        drawn = task.draw(tuple(cube.shape), generator_for(seed, "table", scene))
        noise = scene_noise(drawn.apply(cube).numpy(), scene)
        sigmas, *true = truth(drawn, len(cube))
        measured = np.array([band.sigma for band in noise.bands])
        errors = np.abs(np.divide(measured, sigmas, out=np.full_like(sigmas, np.nan), where=sigmas > 0) - 1.0)
        totals = [sum(getattr(band, share) for band in noise.bands) for share in SHARES]
        shares = tuple(
            float(total / known.sum()) if known.any() else float("nan")
            for total, known in zip(totals, true, strict=True)
        )
        found.append(Accuracy(name, scene, noise.family, errors, shares))
    return found


def truth(drawn: object, bands: int) -> tuple[NDArray[np.float64], ...]:
    """Return sigma of every band on [0, 1], and its shares of stripes, dead lines and impulses."""
    from datamodules.degradations.noise import Deadlines, GaussianNoise, Impulses, Stripes

    sigmas, stripes, dead, hit = np.zeros(bands), np.zeros(bands), np.zeros(bands), np.zeros(bands)
    for part in getattr(drawn, "parts", (drawn,)):
        if isinstance(part, GaussianNoise):
            sigmas = part.sigmas.double().numpy() / (255.0 if float(part.sigmas.max()) > 1.0 else 1.0)
        elif isinstance(part, Stripes):
            stripes[part.bands.numpy()] = (part.offsets != 0).double().mean(dim=1).numpy()
        elif isinstance(part, Deadlines):
            dead[part.bands.numpy()] = part.dead.double().mean(dim=1).numpy()
        elif isinstance(part, Impulses):
            hit[part.bands.numpy()] = (part.salt | part.pepper).double().mean(dim=(1, 2)).numpy()
    return sigmas, stripes, dead, hit


def as_markdown(rows: Sequence[Accuracy]) -> str:
    """Return one line a scene: errors of sigma, and every share over the true one."""
    lines = []
    for row in rows:
        shares = " | ".join("" if np.isnan(share) else f"{share:.2f}" for share in row.shares)
        known = row.sigmas[~np.isnan(row.sigmas)]
        sigmas = f"{np.median(known):.1%} | {known.max():.1%}" if known.size else " | "
        lines.append(f"| {row.task} | {row.scene} | {row.family} | {sigmas} | {shares} |\n")
    return HEADER + "".join(lines)
