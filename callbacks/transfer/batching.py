"""How many guides are optimised at once, and guides in groups of that many (HIR-ALIGN Eq. 19-20)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

# Pixels that keep a GPU busy, 8 guides of 512 x 512: more of them only put off the moment at which any is finished.
_GPU_PIXELS = 2**21


@dataclass
class MatchedGuide:
    """A guide whose candidates are known: all that its estimation needs.

    Attributes:
        proxy_rgb: 3 x H x W in [0, 1].
        guide_rgb: 3 x H x W in [0, 1].
        candidates: flat proxy pixel numbers, K x H x W.
        distances: mean-L1 descriptor distances of Eq. 13, K x H x W.
    """

    proxy_rgb: Tensor
    guide_rgb: Tensor
    candidates: Tensor
    distances: Tensor


def estimation_bytes(pixels: int, candidates: int, kernel_size: int) -> int:
    """Return the memory that one guide's float32 estimation takes.

    Args:
        pixels: H * W.
        candidates: K.
        kernel_size: s.

    Returns:
        Bytes; what a whole-image block needs on a GPU is included.
    """
    taps = kernel_size**2
    logits = 4 * 4 * (candidates + taps)
    tables = candidates * (2 * 8 + 4 * 7)
    operators = 4 * (candidates + taps) + 8 * candidates
    # Images: guide, synthesised, aggregated and their gradients, and the maps of the image terms.
    images = 4 * 3 * 40
    return pixels * (logits + tables + operators + 4 * max(candidates, taps) + images)


def guides_that_fit(guide_rgb: Tensor, candidates: int, kernel_size: int) -> int:
    """Return the number of guides of one size to optimise at once, at least one.

    One on a CPU, where a single guide's blocks already fill the cache; on a GPU as many as half of the free memory
    holds and as keep it busy.

    Args:
        guide_rgb: one of the guides, 3 x H x W.
        candidates: K.
        kernel_size: s.
    """
    if guide_rgb.device.type != "cuda":
        return 1
    # What torch keeps of freed memory is free for the estimation too, although the driver does not count it.
    kept = torch.cuda.memory_reserved(guide_rgb.device) - torch.cuda.memory_allocated(guide_rgb.device)
    free = torch.cuda.mem_get_info(guide_rgb.device)[0] + kept
    pixels = guide_rgb[0].numel()
    return max(1, min(free // (2 * estimation_bytes(pixels, candidates, kernel_size)), _GPU_PIXELS // pixels))


def batches(
    guides: Iterable[MatchedGuide], candidates: int, kernel_size: int, at_once: int | None
) -> Iterator[list[MatchedGuide]]:
    """Put neighbouring guides of equal size together.

    Args:
        guides: matched when they are asked for, so that no more than one batch, and one guide of the next where the
            size changes, is held.
        candidates: K.
        kernel_size: s.
        at_once: largest batch; None is what `guides_that_fit` says.

    Yields:
        Lists of guides, none empty; they belong to the caller, who may clear them.
    """
    batch: list[MatchedGuide] = []
    limit = 1
    for guide in guides:
        if batch and guide.guide_rgb.shape != batch[0].guide_rgb.shape:
            yield batch
            batch = []
        if not batch:
            limit = at_once or guides_that_fit(guide.guide_rgb, candidates, kernel_size)
        batch.append(guide)
        del guide  # the last reference is the batch's, or a finished guide's tables would wait for the next one's
        if len(batch) == limit:
            yield batch
            batch = []
    if batch:
        yield batch
