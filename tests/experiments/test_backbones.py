"""Any backbone x any task: every packaged backbone trains, is tested and adapts through the command line, compact."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest
import torch
import yaml

from experiments.cli import run
from lightning_modules import RestorationModule
from tests.backbones import STEMS, Backbone

QUIET = ["--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false", "--trainer.logger=false"]
SCENES = ["--data.init_args.training=[astronaut_01]", "--data.init_args.validation=[shuttle_01]"]
OBSERVED = ["--data.init_args.observed=[motorcycle_01]", "--data.init_args.unobserved=[motorcycle_02]"]


def words(backbone: Backbone, folder: Path, *more: str) -> list[str]:
    """Configurations and settings of a run of two steps on small crops."""
    task = "tasks/super_resolution" if backbone.enlarges else "tasks/gaussian"
    configs = ["data/sample_scenes", task, f"backbones/{backbone.stem}", *more]
    settings = {
        "crop": max(32, backbone.patch),
        "patch_size": backbone.patch,
        "patches_per_epoch": 4,
        "batch_size": 2,
        "num_workers": 0,
    }
    return [
        *(word for name in configs for word in ("--config", name)),
        *(f"--data.init_args.{name}={value}" for name, value in settings.items()),
        f"--data.init_args.cache={folder.parent / 'cache'}",
        f"--trainer.default_root_dir={folder}",
        "--trainer.max_epochs=1",
        *backbone.overrides(),
        *QUIET,
    ]


@pytest.mark.parametrize("stem", STEMS)
def test_fit_and_test_report_the_protocol(stem: str, tmp_path: Path) -> None:
    backbone = Backbone(stem)
    before = backbone.network().state_dict()
    command = run(["fit", *words(backbone, tmp_path), *SCENES, "--data.init_args.role=source", "--seed_everything=0"])
    assert float(command.trainer.callback_metrics["train/loss"]) > 0
    after = command.model.network.state_dict()
    assert {name: value.shape for name, value in before.items()} == {name: value.shape for name, value in after.items()}
    assert all(bool(torch.isfinite(value).all()) for value in after.values() if value.is_floating_point())
    scores = command.trainer.test(command.model, datamodule=command.datamodule, verbose=False)[0]
    assert sorted(scores) == [f"test/validation/{name}" for name in ("ergas", "psnr", "sam", "ssim")]
    assert all(math.isfinite(score) for score in scores.values())


@pytest.mark.parametrize("stem", STEMS)
def test_all_three_stages_adapt_it(stem: str, tmp_path: Path) -> None:
    backbone = Backbone(stem)
    source = backbone.network()
    torch.save(source.state_dict(), tmp_path / "source.pt")
    command = run(
        [
            "fit",
            *words(backbone, tmp_path, "hir_align/adapt"),
            *OBSERVED,
            f"--model.init_args.source={tmp_path / 'source.pt'}",
            f"--proxy.init_args.store={tmp_path / 'store'}",
            "--synthesis.init_args.guides=callbacks.PhotometricGuides",
            "--synthesis.init_args.transfer.init_args.steps=2",
            "--synthesis.init_args.ratio=1",
            f"--results.init_args.folder={tmp_path / 'results'}",
            "--pictures=null",
        ]
    )
    assert command.trainer.global_step == 2
    assert len(list((tmp_path / "store").rglob("*.npy"))) == 3
    module = command.model
    assert isinstance(module, RestorationModule)
    start = source.state_dict()
    moved = [name for name, value in module.network.state_dict().items() if not torch.equal(value, start[name])]
    assert moved
    command.trainer.test(module, datamodule=command.datamodule, verbose=False)
    with (tmp_path / "results" / "results.csv").open(newline="") as file:
        assert {row["scene"] for row in csv.DictReader(file)} == {"motorcycle_01", "motorcycle_02"}


def test_sfcsr_band_by_band_differs_from_sfcsr_in_how_it_steps_alone() -> None:
    folder = Path(__file__).resolve().parents[2] / "experiments" / "backbones"
    whole, bandwise = (
        yaml.safe_load((folder / name).read_text())["model"] for name in ("sfcsr.yaml", "bandwise/sfcsr.yaml")
    )
    assert (whole["class_path"], bandwise["class_path"]) == ("RestorationModule", "BandwiseRestorationModule")
    assert whole["init_args"] == bandwise["init_args"]
