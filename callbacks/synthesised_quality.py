"""The quality of the guides that synthesised scenes were made from, read back from the store."""

from collections.abc import Sequence

import numpy as np
import torch

from callbacks.guides.quality import SMALLEST, GuideQuality, guide_quality
from callbacks.synthesised import Synthesised, proxy_rgb


def by_proxy(synthesised: Sequence[Synthesised]) -> list[list[Synthesised]]:
    """Group synthesised scenes by their proxy, in order."""
    groups: dict[str, list[Synthesised]] = {}
    for one in synthesised:
        groups.setdefault(one.proxy.name, []).append(one)
    return list(groups.values())


def synthesised_quality(synthesised: Sequence[Synthesised]) -> GuideQuality | None:
    """Return alignment and diversity of all guides; None if some proxy is too small to measure them."""
    if not synthesised or min(min(one.proxy.shape[-2:]) for one in synthesised) < SMALLEST:
        return None
    return guide_quality(
        (proxy_rgb(group[0].proxy), [torch.from_numpy(np.load(one.guide, allow_pickle=False)) for one in group])
        for group in by_proxy(synthesised)
    )
