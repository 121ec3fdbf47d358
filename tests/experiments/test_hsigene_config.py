"""The packaged overlay for HSIGene, parsed, and run through the command line on small random weights."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest
import yaml

from callbacks import GeneratedTraining, HSIGene
from experiments.cli import run
from experiments.commands.demo import SOURCE
from tests.callbacks.generators.small_clip import write_small_clip, write_small_hsigene
from tests.lightning_modules.networks.generation.hsigene_official import SMALL_ARGUMENTS

STACK = ("backbones/sert_compact", "data/sample_scenes", "tasks/gaussian", "hir_align/adapt", "generators/hsigene")
LAYERS = [word for name in STACK for word in ("--config", name)]


def test_the_overlay_names_every_argument_with_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(["fit", *LAYERS, f"--model.init_args.source={SOURCE}", "--print_config"])
    synthesis = yaml.safe_load(capsys.readouterr().out)["synthesis"]
    assert synthesis["class_path"].endswith("GeneratedTraining")
    named = synthesis["init_args"]["generator"]["init_args"]
    defaults = {name: argument.default for name, argument in inspect.signature(HSIGene).parameters.items()}
    expected = {name: list(value) if isinstance(value, tuple) else value for name, value in defaults.items()}
    assert named == expected | {"checkpoint": "last.ckpt"}
    written = yaml.safe_load((Path(inspect.getfile(run)).parent / "generators" / "hsigene.yaml").read_text())
    assert set(written["synthesis"]["init_args"]["generator"]["init_args"]) == set(defaults)


def test_a_fit_on_hsigenes_cubes(tmp_path: Path) -> None:
    source = "--synthesis.init_args.generator.init_args"
    command = run(
        [
            "fit",
            *LAYERS,
            "--data.init_args.crop=48",
            "--data.init_args.patch_size=32",
            "--data.init_args.patches_per_epoch=4",
            "--data.init_args.observed=[motorcycle_01]",
            "--data.init_args.unobserved=[motorcycle_02]",
            f"--data.init_args.cache={tmp_path / 'cache'}",
            "--trainer.max_epochs=1",
            "--trainer.enable_progress_bar=false",
            "--trainer.enable_model_summary=false",
            "--trainer.logger=false",
            f"--trainer.default_root_dir={tmp_path}",
            "--pictures=null",
            f"--model.init_args.source={SOURCE}",
            f"--proxy.init_args.store={tmp_path / 'store'}",
            "--synthesis.init_args.ratio=2",
            f"{source}.checkpoint={write_small_hsigene(tmp_path / 'last.ckpt')}",
            f"{source}.text_encoder={write_small_clip(tmp_path / 'clip')}",
            f"{source}.image_encoder={tmp_path / 'clip'}",
            f"{source}.steps=2",
            f"{source}.size=32",
            f"{source}.wavelengths=400:1000:6",
            f"{source}.architecture={json.dumps(SMALL_ARGUMENTS)}",
        ]
    )
    generated = next(one for one in command.trainer.callbacks if isinstance(one, GeneratedTraining))  # type: ignore[attr-defined]
    assert isinstance(generated.generator, HSIGene)
    assert [scene.shape for scene in generated.made_scenes] == [(31, 32, 32)] * 2
    first, second = (scene.load().cube for scene in generated.made_scenes)
    assert float((first - second).abs().max()) > 1e-3
