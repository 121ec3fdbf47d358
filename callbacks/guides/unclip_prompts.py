"""The text side of unCLIP's conditioning: the fixed positive and negative prompt (HIR-ALIGN, section III-B 1)."""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import Tensor

log = logging.getLogger(__name__)


def encoded_prompt(tokenizer: Any, text_encoder: Any, prompt: str, device: torch.device) -> Tensor:  # noqa: ANN401
    """Encode a prompt as diffusers' pipeline does.

    Args:
        tokenizer: CLIP's.
        text_encoder: CLIP's, on `device`.
        prompt: any text, also an empty one; what is beyond the encoder's places is left out.
        device: where the encoder is.

    Returns:
        1 x L x D hidden states, L the encoder's places (77).
    """
    tokens = tokenizer(
        prompt, padding="max_length", max_length=tokenizer.model_max_length, truncation=True, return_tensors="pt"
    )
    masked = getattr(text_encoder.config, "use_attention_mask", False)
    mask = tokens.attention_mask.to(device) if masked else None
    states: Tensor = text_encoder(tokens.input_ids.to(device), attention_mask=mask)[0]
    return states


def warn_of_cut(tokenizer: Any, name: str, prompt: str) -> str:  # noqa: ANN401
    """Warn if a prompt is longer than the text encoder's places, and return what is left out (empty: nothing).

    Args:
        tokenizer: CLIP's.
        name: the argument's name.
        prompt: its value.
    """
    places = tokenizer.model_max_length
    # The first token and the last one, which mark start and end, take a place each.
    cut = tokenizer(prompt, truncation=False, verbose=False).input_ids[places - 1 : -1]
    text: str = tokenizer.decode(cut).strip() if cut else ""
    if cut:
        log.warning("The guides' %s is longer than %d tokens and was cut; left out: %r.", name, places, text)
    return text
