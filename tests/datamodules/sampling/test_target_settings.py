"""Settings of a folder that cannot be: numbers below their minimum, and clean cubes of another size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from datamodules import BicubicDownsampling, EstimatedNoise
from datamodules.sampling.target_settings import TargetSettings
from hyperalign.errors import InputError

SETTINGS = TargetSettings(EstimatedNoise(), None, 0.25, None, 64, 4, 32, 16, 2, 0, 0)


@pytest.mark.parametrize("name", ["crop", "crops_per_scene", "patch_size", "patches_per_epoch", "batch_size"])
def test_each_number_is_at_least_one(name: str) -> None:
    with pytest.raises(InputError, match=f"Folder got {name}=0: give at least 1"):
        replace(SETTINGS, **{name: 0})  # type: ignore[arg-type]


def test_patches_fit_into_crops() -> None:
    assert replace(SETTINGS, patch_size=64).patch_size == 64
    with pytest.raises(InputError, match="crops of 64 pixels and patches of 65"):
        replace(SETTINGS, patch_size=65)


def test_what_is_enlarged_has_no_clean_cube_of_its_size() -> None:
    with pytest.raises(InputError, match="BicubicDownsampling has the scale 4: leave out"):
        replace(SETTINGS, degradation=BicubicDownsampling(4), clean_root=Path("clean"))
