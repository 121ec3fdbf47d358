"""Networks: plain `torch.nn` modules without Lightning or file access; no arguments means the published settings."""

import hyperalign  # noqa: F401 # isort: split  first: torchvision is repaired before anything imports it
from lightning_modules.networks.arguments import remembers_arguments
from lightning_modules.networks.fusion.bdt.network import BDT
from lightning_modules.networks.fusion.co2if.network import CO2IF
from lightning_modules.networks.fusion.fusionmamba.network import FusionMamba
from lightning_modules.networks.fusion.s2cyclediff.network import S2CycleDiff
from lightning_modules.networks.fusion.srlf.network import SRLF
from lightning_modules.networks.fusion.sstf_unet.network import SSTFUNet
from lightning_modules.networks.generation.hir_diff import HIRDiffUNet
from lightning_modules.networks.restoration.bi3dqrnn import Bi3DQRNN
from lightning_modules.networks.restoration.essaformer import ESSAformer
from lightning_modules.networks.restoration.gdrrn import GDRRN
from lightning_modules.networks.restoration.grn import GRNNet
from lightning_modules.networks.restoration.mcnet import MCNet
from lightning_modules.networks.restoration.mp_hsir import MPHSIR
from lightning_modules.networks.restoration.promptir import PromptIR
from lightning_modules.networks.restoration.sert import SERT
from lightning_modules.networks.restoration.sfcsr import SFCSR
from lightning_modules.networks.restoration.ssumamba import SSUMamba
from lightning_modules.networks.restoration.t3sc import T3SC
from lightning_modules.networks.restoration.trq3d import TRQ3DNet
from lightning_modules.networks.sliding_bands import SlidingBands
from lightning_modules.networks.upsampled import UpsampledInput

__all__ = [
    "BDT",
    "CO2IF",
    "GDRRN",
    "MPHSIR",
    "SERT",
    "SFCSR",
    "SRLF",
    "T3SC",
    "Bi3DQRNN",
    "ESSAformer",
    "FusionMamba",
    "GRNNet",
    "HIRDiffUNet",
    "MCNet",
    "PromptIR",
    "S2CycleDiff",
    "SSTFUNet",
    "SSUMamba",
    "SlidingBands",
    "TRQ3DNet",
    "UpsampledInput",
]

for _name in __all__:
    # Every network of this face says in its checkpoints how to build it again.
    remembers_arguments(globals()[_name])
