"""Where whole generated cubes come from (HIR-ALIGN, section IV-G4, Table IX): one interface, several generators.

The counterpart of `callbacks.guides`: those bring layout only and the proxy its spectra, these bring both.
"""

from callbacks.generators.base import CubeGenerator, CubeRequest
from callbacks.generators.external import ExternalCubes
from callbacks.generators.hsigene import HSIGene

__all__ = ["CubeGenerator", "CubeRequest", "ExternalCubes", "HSIGene"]
