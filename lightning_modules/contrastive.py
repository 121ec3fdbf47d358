"""The text-MSI contrastive loss of CO2IF (Eq. 16) over the batches of all ranks.

Readings: the printed `exp(y't) / tau` is `exp(y't / tau)`, without which the temperature would cancel; the two
directions are added as printed, not averaged as CLIP does. A batch holds several patches of one scene, and these share
its caption: whatever shares a caption counts as matched, together, since a caption cannot tell its own patches apart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["contrastive_loss", "gathered"]


def contrastive_loss(text: Tensor, image: Tensor, logit_scale: Tensor, captions: Sequence[str]) -> Tensor:
    """Symmetric InfoNCE of captions and images (CO2IF, Eq. 16), the same number on every rank.

    Args:
        text: unit vectors t, `B x E`.
        image: unit vectors y, `B x E`, row by row of the same pairs.
        logit_scale: logarithm of 1 / tau, a scalar.
        captions: the B captions; images with equal ones are matched with all of these.

    Returns:
        Scalar in nats, at least 0; 0 where all captions are one, so also for a single pair.
    """
    with torch.autocast(text.device.type, enabled=False):
        texts, images = gathered(text), gathered(image)
        owners = gathered(torch.tensor([_number(caption) for caption in captions], device=text.device))
        logits = logit_scale.exp() * (images @ texts.T)
        apart = owners[:, None] != owners
        return _unmatched(logits, apart) + _unmatched(logits.T, apart)


def gathered(rows: Tensor) -> Tensor:
    """Put the rows of all ranks below each other, in the order of the ranks; every rank must bring as many.

    Gradients reach this rank's own rows, times the number of ranks. All ranks compute one and the same loss, and
    distributed training averages gradients over the ranks: the factor makes them those of a single process.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return rows
    ranks = torch.distributed.get_world_size()
    own = rows.detach().contiguous()
    parts = [torch.empty_like(own) for _ in range(ranks)]
    torch.distributed.all_gather(parts, own)
    if rows.requires_grad:
        parts[torch.distributed.get_rank()] = own + ranks * (rows - own)
    return torch.cat(parts)


def _unmatched(logits: Tensor, apart: Tensor) -> Tensor:
    """Mean over rows of -log of the share that the matched columns have of a row's softmax."""
    matched = logits.masked_fill(apart, -torch.inf).logsumexp(dim=1)
    return (logits.logsumexp(dim=1) - matched).mean()


def _number(caption: str) -> int:
    """A 64-bit number of a caption, which ranks can exchange as a tensor."""
    return int.from_bytes(hashlib.sha256(caption.encode()).digest()[:8], "big", signed=True)
