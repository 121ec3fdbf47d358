"""The ground floor that every other package stands on: files, folders, ranks, seeds, colour, errors.

Importing it imports neither torch nor any other package of this house.
"""

from hyperalign import torchvision_repair
from hyperalign.errors import HyperalignError

__all__ = ["HyperalignError", "torchvision_repair"]
