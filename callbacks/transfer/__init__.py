"""Warp-based spectral transfer of HIR-ALIGN (Eq. 9-26): torch, or compiled loops on a CPU; no Lightning, no files."""

from callbacks.transfer.losses import LossWeights
from callbacks.transfer.retrieval import Retrieval
from callbacks.transfer.transfer import SpectralTransfer
from callbacks.transfer.transport import TransportOperator

__all__ = ["LossWeights", "Retrieval", "SpectralTransfer", "TransportOperator"]
