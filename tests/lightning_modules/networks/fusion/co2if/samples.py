"""Token clouds on which the transport is tested, from easy to nearly degenerate."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def random_tokens(batch: int, count: int, width: int, seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Independent normal tokens, `B x N x D`."""
    return torch.randn(batch, count, width, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def image_like_tokens(side: int, width: int, seed: int, mode: str = "bicubic") -> Tensor:
    """Tokens of an image that varies slowly (`bicubic`) or in equal blocks (`nearest`), `1 x side^2 x D`."""
    coarse = torch.randn(1, width, 4, 4, generator=torch.Generator().manual_seed(seed))
    return functional.interpolate(coarse, size=(side, side), mode=mode).flatten(2).transpose(1, 2)


def cosine_cost(image: Tensor, text: Tensor) -> Tensor:
    """`1 - cosine` of every pair, written separately from the tested code."""
    inner = torch.einsum("bnd,bmd->bnm", image, text)
    cosine: Tensor = inner / (image.norm(dim=-1)[:, :, None] * text.norm(dim=-1)[:, None])
    return 1 - cosine


def costs(kind: str) -> Tensor:
    """Cost `1 x 256 x 77` of a named kind.

    `random`; `smooth` image; `far`: both clouds narrow; `blocks`: equal pixels, few channels, plans close to a
    matching; `repeated`: four different pixels and seven different words in the plane, where plain Sinkhorn stands
    still for hundreds of iterations.
    """
    if kind == "random":
        return cosine_cost(random_tokens(1, 256, 32, 0), random_tokens(1, 77, 32, 1))
    if kind == "smooth":
        return cosine_cost(image_like_tokens(16, 32, 0), random_tokens(1, 77, 32, 1))
    if kind == "far":
        image, text = (random_tokens(1, 1, 32, seed) + 0.3 * random_tokens(1, 77, 32, seed + 9) for seed in (0, 1))
        return cosine_cost(image.repeat(1, 4, 1)[:, :256], text)
    if kind == "blocks":
        return cosine_cost(image_like_tokens(16, 8, 0, "nearest"), random_tokens(1, 77, 8, 1))
    pixels = random_tokens(1, 4, 2, 0).repeat_interleave(64, dim=1)
    return cosine_cost(pixels, random_tokens(1, 7, 2, 5).repeat(1, 11, 1))


def plain_sinkhorn(cost: Tensor, epsilon: float, iterations: int) -> Tensor:
    """Textbook log-domain Sinkhorn, unrolled: the plan after a last row step, total mass 1."""
    scores = cost / -epsilon
    columns = torch.zeros_like(cost[:, :1])
    rows = torch.zeros_like(cost[:, :, :1])
    log_n, log_m = (torch.tensor(float(size), dtype=cost.dtype).log() for size in cost.shape[1:])
    for _ in range(iterations):
        rows = -log_n - (scores + columns).logsumexp(dim=2, keepdim=True)
        columns = -log_m - (scores + rows).logsumexp(dim=1, keepdim=True)
    rows = -log_n - (scores + columns).logsumexp(dim=2, keepdim=True)
    return (scores + rows + columns).exp()
