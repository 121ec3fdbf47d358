"""What a checkpoint may hold: the fields that a run's checkpoint needs, each of the kind that is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hyperalign.errors import HyperalignError

__all__ = ["IDENTITY_KEY", "CheckpointError", "check_resumable", "check_run"]

IDENTITY_KEY = "hyperalign"
"""Where a checkpoint of this project says what its weights belong to."""

FIELDS: Mapping[str, tuple[type, ...]] = {
    "state_dict": (Mapping,),
    "pytorch-lightning_version": (str,),
    "epoch": (int,),
    "global_step": (int,),
    "loops": (Mapping,),
    "callbacks": (Mapping,),
    "optimizer_states": (Sequence,),
    "lr_schedulers": (Sequence,),
    IDENTITY_KEY: (Mapping,),
}
"""What each field of a run's checkpoint must be; all but the first two may be missing."""


class CheckpointError(HyperalignError, ValueError):
    """A checkpoint that cannot be read or written, or that belongs to another network."""


def check_run(content: Mapping[Any, Any], origin: str) -> None:
    """Refuse what is no checkpoint of a run, so that it can be tested, predicted with or resumed.

    Args:
        content: what the file holds.
        origin: the file, for the sentence.

    Raises:
        CheckpointError: naming the first field that is missing or of another kind.
    """
    for name in ("state_dict", "pytorch-lightning_version"):
        if name not in content:
            raise CheckpointError(
                f"Checkpoint {origin} has no field {name!r}, so no run wrote it; weights alone are given by "
                "model.init_args.source."
            )
    for name, kinds in FIELDS.items():
        value = content.get(name)
        if name in content and (not isinstance(value, kinds) or isinstance(value, str) != (kinds == (str,))):
            raise CheckpointError(
                f"Checkpoint {origin} holds a {type(value).__name__} as its field {name!r}, where a run writes "
                f"{'text' if kinds == (str,) else f'a {kinds[0].__name__.lower()}'}; take another "
                "checkpoint of the run."
            )
    for name in ("epoch", "global_step"):
        if isinstance(content.get(name, 0), bool) or content.get(name, 0) < 0:
            raise CheckpointError(
                f"Checkpoint {origin} says {content[name]} as its field {name!r}; take another checkpoint of the run."
            )
    progress = content.get("loops", {}).get("fit_loop", {})
    if not isinstance(progress, Mapping):
        raise CheckpointError(
            f"Checkpoint {origin} holds a {type(progress).__name__} as the progress of its fit; take another "
            "checkpoint of the run."
        )


def check_resumable(content: Mapping[Any, Any], origin: str) -> None:
    """Refuse to go on with a fit from weights alone.

    Raises:
        CheckpointError: when the optimiser's state or the progress of the fit is missing.
    """
    if not all(name in content for name in ("optimizer_states", "lr_schedulers", "loops", "epoch", "global_step")):
        raise CheckpointError(
            f"Checkpoint {origin} holds weights alone, so no fit can go on from it; give it as model.init_args.source "
            "to begin with its weights."
        )
