"""What a checkpoint may hold: the fields that a run's checkpoint needs, each of the kind that is read."""

from __future__ import annotations

import re
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
    if not _VERSION.match(content["pytorch-lightning_version"]):
        raise CheckpointError(
            f"Checkpoint {origin} says {content['pytorch-lightning_version'][:40]!r} as its field "
            "'pytorch-lightning_version'; take another checkpoint of the run."
        )
    progress = content.get("loops", {}).get("fit_loop", {})
    if not isinstance(progress, Mapping) or not _is_progress(progress):
        kind = "what is none" if isinstance(progress, Mapping) else f"a {type(progress).__name__}"
        raise CheckpointError(
            f"Checkpoint {origin} holds {kind} as the progress of its fit; take another checkpoint of the run."
        )


_VERSION = re.compile(r"^\d+\.\d+")


def _is_progress(value: Mapping[Any, Any]) -> bool:
    """Tell whether the counters of a fit are whole numbers, where they must be."""
    for name, inner in value.items():
        if name in ("current", "total"):
            fine = isinstance(inner, Mapping) and all(
                isinstance(number, int) and number >= 0 for number in inner.values()
            )
        elif str(name).endswith("progress"):
            fine = isinstance(inner, Mapping) and _is_progress(inner)
        else:
            fine = not isinstance(inner, Mapping) or _is_progress(inner)
        if not fine or ("current" in value) != ("total" in value):
            return False
    return True


def check_resumable(content: Mapping[Any, Any], origin: str, max_epochs: int | None = None) -> None:
    """Refuse to go on with a fit from weights alone, or with one that is to be shorter than it has been already.

    Args:
        content: what the file holds, after `check_run`.
        origin: the file, for the sentence.
        max_epochs: how long the fit is to be; None or -1 sets no end.

    Raises:
        CheckpointError: when the optimiser's state or the progress of the fit is missing, or there are more epochs than
            `max_epochs`: the fit would end at once with nothing done, and its schedule be another one's.
    """
    if not all(name in content for name in ("optimizer_states", "lr_schedulers", "loops", "epoch", "global_step")):
        raise CheckpointError(
            f"Checkpoint {origin} holds weights alone, so no fit can go on from it; give it as model.init_args.source "
            "to begin with its weights."
        )
    progress = content["loops"].get("fit_loop", {}).get("epoch_progress", {}).get("current", {})
    done = max(int(progress.get("completed", 0)), int(content["epoch"]))
    if max_epochs is not None and 0 <= max_epochs < done:
        raise CheckpointError(
            f"Checkpoint {origin} is of epoch {done}, and trainer.max_epochs is {max_epochs}: give more epochs than it "
            "has behind it, or test with it."
        )
