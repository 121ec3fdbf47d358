"""How good guides are, without any clean scene: aligned with their proxy, yet different from each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

import torch
from torch import Tensor

from hyperalign.errors import InputError
from lightning_modules.metrics.functional import ssim

DISPLAY_GAMMA = 2.2
"""Similarity is judged on gamma-encoded pictures: linear scenes are mostly dark, where SSIM's constants hide all."""

SMALLEST = 11
"""Least height and width in pixels of what can be measured: SSIM's window."""

ALIGNED = (0.2, 0.98)
"""Mean SSIM to the proxy that useful guides have. Unrelated pictures come to about 0.1: the transport would have to
invent. Above the band the guide is the proxy again and teaches nothing. Guides of real scenes lie well inside, near
0.7; a displacement by a few pixels, which the transport follows, costs textured scenes most."""


@dataclass(frozen=True)
class GuideQuality:
    """Quality of all guides of one adaptation.

    Attributes:
        alignment: mean SSIM of the guides to their proxies.
        lowest_alignment: SSIM of the guide that is least like its proxy.
        diversity: mean of 1 - SSIM over all pairs of guides of one proxy; not a number where every proxy has one guide.
    """

    alignment: float
    lowest_alignment: float
    diversity: float

    @property
    def aligned(self) -> bool:
        """Whether the mean alignment lies in `ALIGNED`."""
        return ALIGNED[0] <= self.alignment <= ALIGNED[1]


def guide_quality(groups: Iterable[tuple[Tensor, Sequence[Tensor]]]) -> GuideQuality:
    """Measure guides against their proxies and against each other.

    Args:
        groups: each proxy RGB, 3 x H x W in [0, 1], at least 11 x 11, with its guides of the same size.

    Raises:
        ValueError: without any guide, or for images smaller than SSIM's window.
    """
    alignments: list[float] = []
    differences: list[float] = []
    for proxy_rgb, guides in groups:
        shown = [_displayed(guide) for guide in guides]
        reference = _displayed(proxy_rgb)
        alignments += [_similarity(guide, reference) for guide in shown]
        differences += [1.0 - _similarity(one, other) for one, other in combinations(shown, 2)]
    if not alignments:
        raise InputError("There is no guide to measure: synthesise at least one.")
    return GuideQuality(fmean(alignments), min(alignments), fmean(differences) if differences else float("nan"))


def _displayed(rgb: Tensor) -> Tensor:
    return rgb.detach().to("cpu", torch.float64).clamp(0.0, 1.0) ** (1.0 / DISPLAY_GAMMA)


def _similarity(one: Tensor, other: Tensor) -> float:
    """SSIM with a Gaussian window of 11, data range 1, mean over the three channels."""
    return ssim(one, other, data_range=1.0, window="gaussian")
