from __future__ import annotations

import json
from pathlib import Path

import pytest

from datamodules.estimation.levels import BandNoise, NoiseEstimate, SceneNoise, read_estimate
from hyperalign.errors import InputError

BANDS = (BandNoise(variance=0.01), BandNoise(missing=True))
ESTIMATE = NoiseEstimate((500.0, 600.0), (SceneNoise("a", BANDS, "rows", "gaussian"), SceneNoise("b", BANDS)))


def test_an_estimate_is_read_as_it_was_written(tmp_path: Path) -> None:
    ESTIMATE.write(tmp_path / "noise.json")
    assert read_estimate(tmp_path / "noise.json") == ESTIMATE


def test_sigma_is_the_noise_of_half_white() -> None:
    assert BandNoise(variance=0.01, slope=0.02).sigma == pytest.approx(0.02**0.5)


def test_most_scenes_decide_on_the_family() -> None:
    scenes = [
        SceneNoise(str(number), BANDS, family=family) for number, family in enumerate(["clean", "complex", "complex"])
    ]
    assert NoiseEstimate((1.0, 2.0), tuple(scenes)).family == "complex"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": 9}, "format 9 is not 1"),
        ({"scenes": []}, "it names no scene"),
        ({"wavelengths": [1.0]}, "has 2 bands of 1"),
    ],
)
def test_what_is_no_estimate_is_refused(tmp_path: Path, change: dict[str, object], sentence: str) -> None:
    path = tmp_path / "noise.json"
    path.write_text(json.dumps({**ESTIMATE.settings(), **change}))
    with pytest.raises(InputError, match=f"holds no noise estimate .*{sentence}"):
        read_estimate(path)


def test_a_missing_or_damaged_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.json cannot be read .*give the noise\.json of an earlier run"):
        read_estimate(tmp_path / "nothing.json")
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(InputError, match=r"list\.json holds no noise estimate"):
        read_estimate(tmp_path / "list.json")
