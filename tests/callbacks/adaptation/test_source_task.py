"""A source that was trained for other damage than that of the observations is named."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from callbacks.adaptation.source_task import check_source_task
from datamodules import ComplexMixture, EstimatedNoise, NonIIDGaussian
from datamodules.degradations import Degradation
from datamodules.estimation import BandNoise, NoiseEstimate, SceneNoise


def estimated(family: str) -> EstimatedNoise:
    task = EstimatedNoise()
    task.estimate = NoiseEstimate((500.0,), (SceneNoise("a", (BandNoise(),), "columns", family),))
    return task


@pytest.mark.parametrize(
    ("recorded", "task", "told"),
    [
        ({"class": "ComplexMixture"}, estimated("gaussian"), "for the task complex, and the observations are gaussian"),
        ({"class": "NonIIDGaussian"}, ComplexMixture(), "for the task gaussian, and the observations are complex"),
        ({"class": "NonIIDGaussian"}, estimated("gaussian"), ""),
        ({"class": "NonIIDGaussian"}, NonIIDGaussian(), ""),
        ({"class": "NonIIDGaussian"}, estimated("unlike"), ""),
        ({"class": "EstimatedNoise"}, estimated("complex"), ""),
        (None, estimated("complex"), ""),
    ],
)
def test_another_family_is_named(
    recorded: dict[str, Any] | None, task: Degradation, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        check_source_task(recorded, task)
    assert told in caplog.text
    assert bool(told) == bool(caplog.records)
