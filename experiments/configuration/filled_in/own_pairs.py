"""What `predict` and `test` take for a folder of pairs when no model is named: a method that needs no training."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from experiments.configuration.filled_in.described_model import (
    chooses_model,
    described_network,
    given_configs,
    value_of,
)

_log = logging.getLogger(__name__)

METHOD = "solvers/gsa"
"""Needs neither weights nor the response nor the blur of the sensors."""

_COMMANDS = ("predict", "test")
_PAIRS = ("FusionPair", "datamodules.FusionPair")


def names_pairs(words: Sequence[str]) -> bool:
    """Tell whether a command line asks for pairs of images as its data."""
    return value_of(words, "--data") in _PAIRS


def with_fusion_method(words: Sequence[str]) -> list[str]:
    """Return a command line of pairs with what it leaves out.

    Where neither it nor a config names a model or a checkpoint, the model is GSA; where the model comes from a
    checkpoint, a test prints the same tables.

    Args:
        words: what stands after the program's name.

    Raises:
        ConfigNotFoundError: where a `--config` names no file.
        CheckpointError: where a checkpoint cannot be read.
    """
    if words[0] not in _COMMANDS or chooses_model(words):
        return list(words)
    if value_of(words, "--ckpt_path") is None:
        _log.warning("No model is named: the pairs are fused by GSA, which needs no training (--config %s).", METHOD)
        return [words[0], "--config", METHOD, *words[1:]]
    if words[0] != "test" or _asks_for_results(words):
        return list(words)
    return [*words, "--results", "ResultsTable", "--results.name", described_network(words) or "network"]


def _asks_for_results(words: Sequence[str]) -> bool:
    """Whether a command line or one of its configs says how scores are told."""
    return any(word.startswith("--results") for word in words) or any("results" in one for one in given_configs(words))
