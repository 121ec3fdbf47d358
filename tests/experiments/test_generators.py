"""The packaged overlays for generated cubes and for diagnostics, parsed and run through the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from callbacks import ExternalCubes, GeneratedTraining, GuideDiagnostics
from experiments.cli import run
from experiments.configuration.files import source_checkpoint

SOURCE = source_checkpoint("gaussian", None)
STACK = ("backbones/sert_compact", "data/sample_scenes", "tasks/gaussian", "hir_align/adapt")
SMALL = [
    "--data.init_args.crop=48",
    "--data.init_args.patch_size=32",
    "--data.init_args.patches_per_epoch=4",
    "--data.init_args.observed=[motorcycle_01]",
    "--data.init_args.unobserved=[motorcycle_02]",
    "--trainer.max_epochs=1",
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_model_summary=false",
    "--trainer.logger=false",
    "--pictures=null",
    f"--model.init_args.source={SOURCE}",
]


def stacked(*overlays: str) -> list[str]:
    return [word for name in (*STACK, *overlays) for word in ("--config", name)]


def test_overlays_take_the_place_of_guides_and_add_diagnostics(capsys: pytest.CaptureFixture[str]) -> None:
    overlays = ("generators/external_cubes", "hir_align/diagnostics")
    with pytest.raises(SystemExit):
        run(["fit", *stacked(*overlays), f"--model.init_args.source={SOURCE}", "--print_config"])
    config = yaml.safe_load(capsys.readouterr().out)
    synthesis, diagnostics = config["synthesis"], config["diagnostics"]
    assert synthesis["class_path"].endswith("GeneratedTraining")
    assert (synthesis["init_args"]["ratio"], synthesis["init_args"]["training"]) == (3, "mixed")
    assert set(synthesis["init_args"]) == {"generator", "ratio", "training"}
    assert synthesis["init_args"]["generator"]["init_args"]["bands"] == "interpolate"
    assert diagnostics["class_path"].endswith("GuideDiagnostics")
    assert diagnostics["init_args"]["clip"]["init_args"] == {
        "model": "ViT-B-32",
        "pretrained": "openai",
        "config_folder": None,
        "cache": None,
    }


def test_older_names_of_generators_are_taken_in_files_and_in_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = tmp_path / "old.yaml"
    old.write_text("synthesis:\n  init_args:\n    source:\n      init_args:\n        size: 64\n", encoding="utf-8")
    words = [*stacked("sources/external_cubes"), "--config", str(old), f"--model.init_args.source={SOURCE}"]
    with pytest.raises(SystemExit) as stopped:
        run(["fit", *words, "--synthesis.init_args.source.init_args.root", "cubes", "--print_config"])
    assert stopped.value.code == 0
    generator = yaml.safe_load(capsys.readouterr().out)["synthesis"]["init_args"]["generator"]
    assert generator["class_path"].endswith("ExternalCubes")
    assert (generator["init_args"]["size"], generator["init_args"]["root"]) == (64, "cubes")


def test_a_fit_on_generated_cubes_with_diagnostics(tmp_path: Path) -> None:
    (tmp_path / "cubes").mkdir()
    spectrum = np.linspace(0.2, 0.8, 41, dtype=np.float32)[:, None, None]
    for index in range(2):
        texture = np.random.default_rng(index).random((40, 44), dtype=np.float32)
        np.save(tmp_path / "cubes" / f"{index}.npy", spectrum * texture)
    command = run(
        [
            "fit",
            *stacked("generators/external_cubes", "hir_align/diagnostics"),
            *SMALL,
            f"--data.init_args.cache={tmp_path / 'cache'}",
            f"--trainer.default_root_dir={tmp_path}",
            f"--proxy.init_args.store={tmp_path / 'store'}",
            f"--synthesis.init_args.generator.init_args.root={tmp_path / 'cubes'}",
            "--synthesis.init_args.generator.init_args.wavelengths=380:780:41",
            "--diagnostics.init_args.features=pixels",
            "--diagnostics.init_args.method=pca",
        ]
    )
    by_type = {type(one): one for one in command.trainer.callbacks}  # type: ignore[attr-defined]
    generated, diagnostics = by_type[GeneratedTraining], by_type[GuideDiagnostics]
    assert isinstance(generated, GeneratedTraining) and isinstance(generated.generator, ExternalCubes)
    assert isinstance(diagnostics, GuideDiagnostics)
    assert [scene.shape[1:] for scene in generated.made_scenes] == [(40, 44)] * 3
    written = {path.name for path in (tmp_path / "diagnostics" / "round_1").rglob("*.*")}
    assert written == {
        "distances.csv",
        *("features.csv", "features.png", "spectra.csv", "spectra.png"),
        *("motorcycle_01.png", "motorcycle_01_spectra.png"),
    }
