"""CO2IF of a few thousand parameters."""

from __future__ import annotations

from typing import Any

COMPACT: dict[str, Any] = {
    "dim": 8,
    "encoder_blocks": 1,
    "decoder_blocks": 1,
    "embedding_width": 8,
    "feed_forward": 1.0,
    "state_dim": 2,
    "cot_smooth_steps": 0,
}
