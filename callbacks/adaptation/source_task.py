"""Whether the source was trained for what the observations show, or for something else."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from datamodules.degradations import Degradation, EstimatedNoise

log = logging.getLogger(__name__)

TRAINED_FOR = {
    "NonIIDGaussian": "gaussian",
    "ComplexMixture": "complex",
    "BandMissing": "band_missing",
    "RandomMask": "inpainting",
    "GaussianBlurring": "deblurring",
    "BicubicDownsampling": "super_resolution",
}
"""Packaged tasks by the class that a checkpoint records; other ones may hold anything."""


def check_source_task(recorded: Mapping[str, Any] | None, task: Degradation) -> None:
    """Warn if a source was trained for another family than that of the task which it is adapted to.

    Args:
        recorded: the task that its checkpoint records, None for older and foreign ones.
        task: what is replayed, after the observations were measured.
    """
    trained = TRAINED_FOR.get(str((recorded or {}).get("class")))
    if isinstance(task, EstimatedNoise):
        shown = None if task.estimate is None else task.estimate.family
    else:
        shown = TRAINED_FOR.get(type(task).__name__)
    if trained is None or shown not in TRAINED_FOR.values() or trained == shown:
        return
    log.warning(
        "The source was trained for the task %s, and the observations are %s: its proxies may be poor, so start from a "
        "source that was trained for %s, or leave the source out for the packaged one.",
        trained,
        shown,
        shown,
    )
