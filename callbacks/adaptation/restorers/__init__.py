"""Who makes the proxies: the source network, another one, a training-free method, a folder, or several together."""

from callbacks.adaptation.restorers.base import ProxyRestorer
from callbacks.adaptation.restorers.best import BestRestorer
from callbacks.adaptation.restorers.combinations import ChainRestorer, FlipRestorer, MeanRestorer
from callbacks.adaptation.restorers.folder import FolderRestorer
from callbacks.adaptation.restorers.network import OtherRestorer, SourceRestorer

__all__ = [
    "BestRestorer",
    "ChainRestorer",
    "FlipRestorer",
    "FolderRestorer",
    "MeanRestorer",
    "OtherRestorer",
    "ProxyRestorer",
    "SourceRestorer",
]
