"""What an observation tells about its own degradation: noise levels band by band, structure, and the task."""

from datamodules.estimation.estimate import estimate_noise
from datamodules.estimation.levels import BandNoise, NoiseEstimate, SceneNoise, read_estimate

__all__ = ["BandNoise", "NoiseEstimate", "SceneNoise", "estimate_noise", "read_estimate"]
