"""Which of the packaged tasks an observation is an example of."""

import numpy as np

from datamodules.estimation.differences import Floats, Mask, block_valid, diagonal
from datamodules.estimation.levels import BandNoise, SceneNoise

FAMILIES = ("gaussian", "complex", "band_missing", "inpainting", "deblurring", "clean", "unlike")
"""Names of `experiments/tasks`; `clean`: no noise (a low-resolution image is clean, too); `unlike`: none of them."""

_CLEAN = 3.0 / 255.0
_WHITE = 1.6
_BLURRED = 0.12
_MASKED = 0.5
_STRUCTURED = 0.05
_VISIBLE_STRIPES = 0.02
_STRIPES_OF_A_CLEAN_SCENE = 0.06


def recognised(scene: SceneNoise, coarseness: float, sharp: float) -> str:
    """Return the family of one scene.

    Args:
        scene: its noise, measured.
        coarseness: sigma at half resolution, doubled, over sigma.
        sharp: see `sharpness`.
    """
    present = [band for band in scene.bands if not band.missing]
    if not present:
        return "unlike"
    masked = [band for band in present if band.impulse_share > 0 and band.salt_share == 0.0]
    if len(masked) > 0.9 * len(present) and np.median([band.impulse_share for band in masked]) > _MASKED:
        return "inpainting"
    sigma = float(np.median([band.sigma for band in present]))
    structured = [band for band in present if _structured(band, sigma)]
    if len(structured) > _STRUCTURED * len(present) and sigma > _CLEAN:
        return "complex"
    if sigma > _CLEAN:
        return "gaussian" if coarseness < _WHITE else "unlike"
    if structured and len(structured) > _STRUCTURED * len(present):
        return "unlike"
    if len(present) < len(scene.bands):
        return "band_missing"
    return "deblurring" if sharp < _BLURRED else "clean"


def _structured(band: BandNoise, sigma: float) -> bool:
    # Without noise, thin upright things of the scene pass for faint stripes.
    faint = max(_VISIBLE_STRIPES, 0.5 * band.sigma) if sigma > _CLEAN else _STRIPES_OF_A_CLEAN_SCENE
    striped = band.stripe_share if band.stripe_amplitude > faint else 0.0
    return max(striped, band.dead_share, band.impulse_share) > _STRUCTURED / 2


def sharpness(cube: Floats, valid: Mask) -> float:
    """Return the diagonal detail of a scene over its steps between neighbours: small where it was blurred.

    Args:
        cube: `C x H x W`.
        valid: `C x H x W`, which values can be used.
    """
    details = diagonal(cube)[block_valid(valid)]
    steps = (cube[:, :, 1:] - cube[:, :, :-1])[valid[:, :, 1:] & valid[:, :, :-1]]
    if not details.size or not steps.size:
        return 1.0
    energy = float(np.square(steps, dtype=np.float64).mean())
    return float(np.sqrt(np.square(details, dtype=np.float64).mean() / energy)) if energy > 0 else 1.0
