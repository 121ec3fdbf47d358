"""What a checkpoint of this project says of itself: network, source weights, bands, normalisation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import nn

from lightning_modules.checkpoints.content import IDENTITY_KEY, CheckpointError
from lightning_modules.checkpoints.states import network_identity

__all__ = [
    "IDENTITY_KEY",
    "check_identity",
    "network_identity",
    "recorded_identity",
    "recorded_task",
    "recorded_training_data",
    "training_data",
]


def recorded_identity(content: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Return what a checkpoint says of itself; nothing for foreign ones.

    Raises:
        CheckpointError: naming the first entry that is not of the kind that a run writes.
    """
    identity = content.get(IDENTITY_KEY, {})
    kinds: dict[str, tuple[type, ...]] = {
        "network": (str,),
        "source_digest": (str, type(None)),
        "training_data": (Mapping,),
        "task": (Mapping, type(None)),
        "module": (Mapping, type(None)),
    }
    if not isinstance(identity, Mapping):
        raise _odd(IDENTITY_KEY, identity, origin)
    for name, allowed in kinds.items():
        if name in identity and not isinstance(identity[name], allowed):
            raise _odd(name, identity[name], origin)
    data = identity.get("training_data", {})
    if "wavelengths" in data and not _are_centres(data["wavelengths"]):
        raise _odd("wavelengths", data["wavelengths"], origin)
    if not isinstance(data.get("normalisation", ""), str):
        raise _odd("normalisation", data["normalisation"], origin)
    return dict(identity)


def _are_centres(value: object) -> bool:
    if not isinstance(value, list | tuple) or not value:
        return False
    return all(isinstance(one, int | float) and math.isfinite(one) and one > 0 for one in value)


def _odd(name: str, value: object, origin: str) -> CheckpointError:
    return CheckpointError(
        f"Checkpoint {origin} says {str(value)[:40]!r} as its {name}, which no run of this project writes; take "
        "another checkpoint of the run."
    )


def check_identity(network: nn.Module, identity: Mapping[str, Any], origin: str) -> None:
    """Refuse the weights of another network class, in one sentence."""
    made_by, wanted = str(identity.get("network")), network_identity(network)
    if made_by != wanted:
        raise CheckpointError(
            f"{made_by} weights in {origin} do not fit {wanted}; choose that network or another checkpoint."
        )


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


def recorded_task(datamodule: object) -> dict[str, Any] | None:
    """Return the task of a DataModule as plain values, the degradation's `class` and its settings; None without one."""
    degradation = getattr(datamodule, "degradation", None)
    return None if degradation is None else dict(degradation.settings())


def recorded_training_data(identity: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what a checkpoint's identity says, nothing for older ones, which do not say it."""
    recorded = (identity or {}).get("training_data", {})
    return dict(recorded) if isinstance(recorded, Mapping) else {}
