"""The task files name existing classes and spell out the published settings."""

from pathlib import Path

import pytest
import yaml

import datamodules

TASKS = Path(datamodules.__file__).parents[1] / "experiments" / "tasks"
EXPECTED = {
    "gaussian": {"class": "NonIIDGaussian", "sigmas": [10, 30, 50, 70], "convention": "band_choice"},
    "complex": {
        "class": "ComplexMixture",
        "convention": "disjoint_thirds",
        "sigmas": [10, 30, 50, 70],
        "sigma_convention": "band_choice",
        "columns": [0.05, 0.15],
        "stripe_amplitude": 0.25,
        "impulse_amounts": [0.1, 0.3, 0.5, 0.7],
    },
    "super_resolution": {"class": "BicubicDownsampling", "scale": 4, "convention": "matlab"},
    "deblurring": {"class": "GaussianBlurring", "kernel_size": 15, "sigma": 2.6, "boundary": "reflect"},
    "band_missing": {"class": "BandMissing", "ratio": 0.3},
    "inpainting": {"class": "RandomMask", "ratio": 0.9, "convention": "element"},
}


def test_there_is_one_file_a_task() -> None:
    assert {path.stem for path in TASKS.glob("*.yaml")} == {*EXPECTED, "all_in_one", "fusion", "estimated_noise"}


@pytest.mark.parametrize("task", EXPECTED)
def test_task_file(task: str) -> None:
    overlay = yaml.safe_load((TASKS / f"{task}.yaml").read_text())
    assert list(overlay) == ["data"]
    assert list(overlay["data"]) == ["init_args"]
    spec = overlay["data"]["init_args"]["degradation"]
    package, name = spec["class_path"].rsplit(".", 1)
    assert package == "datamodules"
    degradation = getattr(datamodules, name)(**spec["init_args"])
    settings = degradation.settings()
    assert settings == EXPECTED[task]
    # Every argument stands in the file, so that --print_config and a reader see the whole convention.
    assert set(spec["init_args"]) == set(settings) - {"class"}
    assert getattr(datamodules, name)().settings() == settings


def test_fusion_task_is_the_default_observation() -> None:
    spec = yaml.safe_load((TASKS / "fusion.yaml").read_text())["data"]["init_args"]["degradation"]
    assert spec["class_path"] == "datamodules.FusionObservation"
    settings = datamodules.FusionObservation(**spec["init_args"]).settings()
    assert settings == datamodules.FusionObservation().settings()
    assert settings.items() >= {"ratio": 8, "psf": "srlf", "psf_first": -3, "response": "nikon_d700"}.items()


def test_all_in_one_lists_the_other_tasks_that_keep_the_size() -> None:
    init = yaml.safe_load((TASKS / "all_in_one.yaml").read_text())["data"]["init_args"]["degradation"]["init_args"]
    tasks = [getattr(datamodules, one["class_path"].rsplit(".", 1)[1])() for one in init["tasks"]]
    assert [task.settings() for task in tasks] == [
        EXPECTED[name] for name in ("gaussian", "complex", "deblurring", "inpainting", "band_missing")
    ]
    assert datamodules.SeveralTasks(tasks, init["weights"]).weights == [1.0] * 5
