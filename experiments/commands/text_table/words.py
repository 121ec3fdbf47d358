"""Captions that say nothing true of their scenes: those of others, and made-up words."""

from __future__ import annotations

import random
from collections.abc import Mapping

SYLLABLES = ("ba", "do", "fi", "gu", "ke", "lo", "mi", "nu", "pa", "ri", "su", "to", "vu", "ze")


def exchanged(captions: Mapping[str, str]) -> dict[str, str]:
    """Return every scene's caption given to the scene before it, so that none keeps its own."""
    names = sorted(captions)
    return {name: captions[other] for name, other in zip(names, [*names[1:], names[0]], strict=True)}


def nonsense(captions: Mapping[str, str], seed: int) -> dict[str, str]:
    """Return as many made-up words as each caption has, the same ones for the same seed."""
    drawn = random.Random(seed)

    def word() -> str:
        return "".join(drawn.choice(SYLLABLES) for _ in range(drawn.randint(2, 3)))

    return {name: " ".join(word() for _ in captions[name].split()) for name in sorted(captions)}
