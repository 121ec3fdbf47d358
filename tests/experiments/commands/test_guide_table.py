"""The table of generation sources: facts of a run, means and gains, rows kept, and a whole small table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lightning import Trainer

from callbacks import ExternalCubes, GeneratedTraining
from callbacks.adaptation.generated_scenes import Generated
from datamodules import MappedScene
from experiments.commands import guide_table
from experiments.commands.guide_table import Facts, measured, overlay, summary
from experiments.commands.study import SOURCE_ONLY
from experiments.configuration.errors import ConfigError

DATA = """\
data:
  class_path: datamodules.SampleScenes
  init_args:
    role: target
    observed: [motorcycle_01]
    unobserved: [motorcycle_02]
    crop: 48
    cache: {cache}
"""
WORDS = [
    "--data.init_args.patch_size=32",
    "--data.init_args.patches_per_epoch=4",
    "--trainer.logger=false",
    "--synthesis.init_args.ratio=2",
    "--synthesis.init_args.transfer.init_args.steps=3",
]


def scored(model: str, test_set: str, psnr: float) -> dict[str, str]:
    return {"test_set": test_set, "model": model, "psnr": str(psnr), "ssim": "0.9", "sam": "5"}


def test_rows_show_mean_facts_and_gains_over_source_only() -> None:
    rows = [scored(SOURCE_ONLY, name, 30.0) for name in ("observed", "unobserved")]
    rows += [scored("mine", "observed", 31.0), scored("mine", "observed", 32.0), scored("mine", "unobserved", 29.5)]
    rows += [scored("proxies", name, 30.25) for name in ("observed", "unobserved")]
    text = summary(
        rows, {"proxies": [Facts()], "mine": [Facts(0.8, 0.1, 60.0, 1.0, 5.0), Facts(0.9, 0.2, 62.0, 2.0, 7.0)]}
    )
    assert "| source-only | | | | | | 30.00 | 30.00 |" in text
    assert "| proxies |  |  |  |  |  | 30.25 (+0.25) | 30.25 (+0.25) |" in text
    assert "| mine | 0.850 | 0.150 | 61.0 | 1.5 | 6.0 | 31.50 (+1.50) | 29.50 (-0.50) |" in text


def test_every_packaged_source_and_an_own_file_is_a_row(tmp_path: Path) -> None:
    assert overlay("photometric") == "guides/photometric"
    own = tmp_path / "mine.yaml"
    own.write_text("synthesis: null\n", encoding="utf-8")
    assert overlay(str(own)) == str(own)
    with pytest.raises(ConfigError, match=r"knows no row nonsense: name one of proxies, .*proxy_diffusion.* path\.$"):
        overlay("nonsense")


def test_the_seconds_of_a_cube_source_are_those_of_its_cubes(tmp_path: Path) -> None:
    stage = GeneratedTraining(ExternalCubes(str(tmp_path)))
    scene = MappedScene("one", tmp_path / "one.npy", (400.0, 500.0))
    stage.generated = [Generated(scene, {"seconds": seconds}) for seconds in (2.0, 4.0)]
    assert measured(Trainer(logger=False, callbacks=[stage], accelerator="cpu")) == Facts(scene_seconds=3.0)


def test_a_small_table_is_measured_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, output = tmp_path / "data.yaml", tmp_path / "out"
    data.write_text(DATA.format(cache=tmp_path / "cache"), encoding="utf-8")
    words = ["--data", str(data), "--rows", "proxies", "photometric", "--output", str(output), *WORDS]
    assert guide_table.main(words) == 0
    facts = json.loads((output / "seed_0" / "photometric" / "facts.json").read_text(encoding="utf-8"))
    assert 0.2 < facts["alignment"] < 0.98
    assert 0.01 < facts["diversity"] < 0.9
    assert facts["training_seconds"] == 0.0
    assert facts["transfer_seconds"] > 0.0
    assert json.loads((output / "seed_0" / "proxies" / "facts.json").read_text(encoding="utf-8"))["alignment"] is None
    table = (output / "table.md").read_text(encoding="utf-8")
    assert [line.split("|")[1].strip() for line in table.splitlines()[2:]] == ["source-only", "proxies", "photometric"]
    written = {path: path.stat().st_mtime_ns for path in output.rglob("*.ckpt")}
    assert {output / "seed_0" / row / "epoch_3.ckpt" for row in ("proxies", "photometric")} <= written.keys()
    assert guide_table.main(words) == 0
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*.ckpt")} == written
