"""What adaptation asks of its data: what offers all of it is a target, and what lacks one thing is none."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from datamodules import CAVE, Folder, SampleScenes
from datamodules.target import AdaptationTarget

NAMES = {
    *("role", "degradation", "wavelengths", "patch_size", "seed"),
    *("observations", "use_training_scenes", "training_batches", "clean_scenes", "is_clean"),
}


def test_data_with_clean_scenes_and_a_folder_without_are_targets(tmp_path: Path) -> None:
    assert isinstance(SampleScenes(role="target", cache=str(tmp_path)), AdaptationTarget)
    assert isinstance(CAVE(str(tmp_path), role="target"), AdaptationTarget)
    assert isinstance(Folder(str(tmp_path), role="target"), AdaptationTarget)


@pytest.mark.parametrize("lacking", sorted(NAMES))
def test_what_lacks_one_thing_is_no_target(lacking: str) -> None:
    assert isinstance(SimpleNamespace(**dict.fromkeys(NAMES, len)), AdaptationTarget)
    assert not isinstance(SimpleNamespace(**dict.fromkeys(NAMES - {lacking}, len)), AdaptationTarget)
