"""What `predict` and `test` take for a folder of pairs when no model is named: a method that needs no training."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from experiments.configuration.filled_in.described_model import CHOICES, value_of

_log = logging.getLogger(__name__)

METHOD = "solvers/gsa"
"""Needs neither weights nor the response nor the blur of the sensors."""

_COMMANDS = ("predict", "test")
_PAIRS = ("FusionPair", "datamodules.FusionPair")


def names_pairs(words: Sequence[str]) -> bool:
    """Tell whether a command line asks for pairs of images as its data."""
    return value_of(words, "--data") in _PAIRS


def with_fusion_method(words: Sequence[str]) -> list[str]:
    """Return a command line of pairs with GSA as its model where it names no model, checkpoint or config.

    Args:
        words: what stands after the program's name.
    """
    given = {word.partition("=")[0] for word in words}
    if words[0] not in _COMMANDS or given & {"--config", "-c", "--ckpt_path", *CHOICES}:
        return list(words)
    _log.warning("No model is named: the pairs are fused by GSA, which needs no training (--config %s).", METHOD)
    return [words[0], "--config", METHOD, *words[1:]]
