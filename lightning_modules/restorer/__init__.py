"""What restores: the protocol, a frozen network, tiles of whole scenes, and how anything that restores is evaluated."""

import hyperalign  # noqa: F401 # isort: split  first: torchvision is repaired before anything imports it
from lightning_modules.restorer.network_restorer import (
    NetworkRestorer,
    consistency_settings,
    grid_of,
    moved,
    network_settings,
    restored_by,
    taken_data,
)
from lightning_modules.restorer.protocols import (
    Adaptable,
    BandNetwork,
    GivenByWindow,
    Inputs,
    MatchingNetwork,
    ObservingNetwork,
    Restorer,
    adaptable,
    restorer_of,
)
from lightning_modules.restorer.tiles import FILE_TILE, WHOLE

__all__ = [
    "FILE_TILE",
    "WHOLE",
    "Adaptable",
    "BandNetwork",
    "GivenByWindow",
    "Inputs",
    "MatchingNetwork",
    "NetworkRestorer",
    "ObservingNetwork",
    "Restorer",
    "adaptable",
    "consistency_settings",
    "grid_of",
    "moved",
    "network_settings",
    "restored_by",
    "restorer_of",
    "taken_data",
]
