"""Mutual information of image and text tokens, and the transport cost it weighs (CO2IF Eq. 2 and 3).

The paper writes the information as one number (Eq. 2) but calls `G = 1 - I` a probability discrimination *matrix*
that decides pair by pair. Both are here: pointwise information, normalised (the default), and the number of Eq. 2.
Neither the joint distribution nor the base of the logarithm is in the paper. The joint distribution is the softmax
of the cosines over all pairs of an image and its caption, at CLIP's initial temperature.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from hyperalign.errors import InputError

__all__ = ["MutualInformationForm", "cosine_similarity", "discrimination", "mutual_information", "transport_cost"]

MutualInformationForm = Literal["pointwise", "global"]

IMPOSSIBLE = -1.0e4
"""Logit of a pair with a padded text token: probability exactly zero, yet without infinities to differentiate."""


def cosine_similarity(image_tokens: Tensor, text_tokens: Tensor) -> Tensor:
    """Return the cosine of every pair of tokens.

    Args:
        image_tokens: `B x N x D`.
        text_tokens: `B x M x D`.

    Returns:
        `B x N x M` in [-1, 1]; a token of zeros has cosine 0 with everything.
    """
    image = functional.normalize(image_tokens, dim=-1)
    text = functional.normalize(text_tokens, dim=-1)
    return torch.matmul(image, text.transpose(-1, -2))


def _log_joint(similarity: Tensor, temperature: float, text_mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Logarithms of `p(i, j)` and of `p(i, j) / (p(i) p(j))`, each `B x N x M`."""
    logits = similarity / temperature
    if text_mask is not None:
        logits = logits.masked_fill(~text_mask[:, None], IMPOSSIBLE)
    rows = logits.logsumexp(dim=2, keepdim=True)
    columns = logits.logsumexp(dim=1, keepdim=True)
    total = rows.logsumexp(dim=1, keepdim=True)
    return logits - total, logits - rows - columns + total


def mutual_information(similarity: Tensor, temperature: float = 0.07, text_mask: Tensor | None = None) -> Tensor:
    """Return the mutual information of the joint softmax over pairs (Eq. 2).

    Args:
        similarity: cosines `B x N x M`.
        temperature: what the cosines are divided by before the softmax over all N M pairs.
        text_mask: `B x M`, true for real text tokens; padded ones have probability zero.

    Returns:
        Information in nats, `B`, at least 0 and at most `log(min(N, M))`.
    """
    log_joint, pointwise = _log_joint(similarity, temperature, text_mask)
    return (log_joint.exp() * pointwise).sum(dim=(1, 2))


def discrimination(
    similarity: Tensor,
    form: MutualInformationForm = "pointwise",
    temperature: float = 0.07,
    text_mask: Tensor | None = None,
) -> Tensor:
    """Return the probability discrimination `G = 1 - I` (Eq. 3); 1 where image and text are independent.

    Args:
        similarity: cosines `B x N x M`.
        form: `pointwise`: I is `log(p(i, j) / (p(i) p(j))) / -log p(i, j)`, clamped to [0, 1], a number for every
            pair; `global`: I is Eq. 2 with logarithms to base `min(N, M)` (M counts real tokens), which keeps the
            one number for all pairs in [0, 1], so that the cost never changes sign.
        temperature: of the joint softmax.
        text_mask: `B x M`, true for real text tokens.

    Returns:
        `B x N x M`, or `B x 1 x 1` for `global`; in [0, 1].

    Raises:
        ValueError: the form is unknown.
    """
    if form == "pointwise":
        log_joint, pointwise = _log_joint(similarity, temperature, text_mask)
        smallest = torch.finfo(similarity.dtype).eps
        information = pointwise / (-log_joint).clamp_min(smallest)
    elif form == "global":
        tokens = similarity.shape[2] if text_mask is None else text_mask.sum(dim=1)
        outcomes = torch.as_tensor(tokens, dtype=similarity.dtype, device=similarity.device)
        bound = outcomes.clamp(2, max(2, similarity.shape[1])).log()
        information = (mutual_information(similarity, temperature, text_mask) / bound)[:, None, None]
    else:
        raise InputError(
            f"discrimination: mutual information form {form!r} is unknown; choose 'pointwise' or 'global'."
        )
    return 1 - information.clamp(0, 1)


def transport_cost(
    image_tokens: Tensor,
    text_tokens: Tensor,
    form: MutualInformationForm | None = "pointwise",
    temperature: float = 0.07,
    text_mask: Tensor | None = None,
) -> Tensor:
    """Return the cost of pairing an image token with a text token, `(1 - cosine) * G` (Eq. 3).

    Args:
        image_tokens: `B x N x D`.
        text_tokens: `B x M x D`.
        form: form of G; none for `G = 1`, the paper's row "w/o G".
        temperature: of the joint softmax in G.
        text_mask: `B x M`, true for real text tokens.

    Returns:
        `B x N x M` in [0, 2]; entries of padded tokens are finite and mean nothing.
    """
    similarity = cosine_similarity(image_tokens, text_tokens)
    if form is None:
        return 1 - similarity
    return (1 - similarity) * discrimination(similarity, form, temperature, text_mask)
