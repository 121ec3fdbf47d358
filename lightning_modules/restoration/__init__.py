"""Restoring one image by a network: the module that is trained, its band-wise sibling, and one made of a checkpoint."""

import hyperalign  # noqa: F401 # isort: split  first: torchvision is repaired before anything imports it
from lightning_modules.restoration.bandwise import BandwiseRestorationModule
from lightning_modules.restoration.loading import load_module
from lightning_modules.restoration.module import RestorationModule

__all__ = ["BandwiseRestorationModule", "RestorationModule", "load_module"]
