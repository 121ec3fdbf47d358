"""What an observation tells about its own degradation: noise levels band by band, structure, and the task."""

from datamodules.estimation.damage import Damage, damage_of
from datamodules.estimation.estimate import estimate_noise, noise_of
from datamodules.estimation.levels import BandNoise, NoiseEstimate, SceneNoise, read_estimate

__all__ = [
    "BandNoise",
    "Damage",
    "NoiseEstimate",
    "SceneNoise",
    "damage_of",
    "estimate_noise",
    "noise_of",
    "read_estimate",
]
