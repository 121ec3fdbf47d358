"""Networks: plain `torch.nn` modules without Lightning or file access; no arguments means the published settings."""

import torchvision_repair  # noqa: F401
from lightning_modules.networks.restoration.sert import SERT
from lightning_modules.networks.upsampled import UpsampledInput

__all__ = ["SERT", "UpsampledInput"]
