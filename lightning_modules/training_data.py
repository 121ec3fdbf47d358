"""What a checkpoint says about the data it was trained on, so that other cubes can be matched to it later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["recorded_training_data", "training_data"]


def training_data(datamodule: object) -> dict[str, Any]:
    """Return what cubes have to be brought to, as plain values.

    Args:
        datamodule: what the network is trained on; None, or one that does not say, gives nothing.

    Returns:
        `wavelengths`, the band centres in nm, and `normalisation`, the rule by which scenes came to [0, 1]: `none`,
        `maximum`, `minmax` or `scale:VALUE`; each only where the DataModule has it.
    """
    found: dict[str, Any] = {}
    if wavelengths := getattr(datamodule, "wavelengths", None):
        found["wavelengths"] = [float(centre) for centre in wavelengths]
    if isinstance(rule := getattr(datamodule, "normalisation", None), str):
        # Reflectances whose few values outside of [0, 1] are clipped for training are left as they are elsewhere.
        found["normalisation"] = "none" if rule == "clip" else rule
    return found


def recorded_training_data(identity: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what a checkpoint's identity says, nothing for older ones, which do not say it."""
    recorded = (identity or {}).get("training_data", {})
    return dict(recorded) if isinstance(recorded, Mapping) else {}
