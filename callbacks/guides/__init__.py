"""Where the RGB guides of stage (ii) come from (HIR-ALIGN, section III-B 1): one interface, several ways.

The guides carry layout and appearance only; the spectra always come from the proxy (`callbacks.transfer`).
"""

from callbacks.guides.base import Guides
from callbacks.guides.hsigene import HSIGeneGuides
from callbacks.guides.photometric import PhotometricGuides
from callbacks.guides.proxy_diffusion import ProxyDiffusionGuides
from callbacks.guides.unclip import UnCLIPGuides

__all__ = ["Guides", "HSIGeneGuides", "PhotometricGuides", "ProxyDiffusionGuides", "UnCLIPGuides"]
