"""The packaged experiments for the blur-robust CLIP, as they are typed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from PIL import Image

from experiments.cli import run
from lightning_modules import BlurRobustCLIP, ClipError, InstanceDiscrimination
from lightning_modules.clip.encoder import read_encoder
from tests.lightning_modules.tiny_clip import made_images

QUIET = ["--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false"]
SHORT = ["--data.images_per_epoch=8", "--data.batch_size=4", "--trainer.max_epochs=1"]


@pytest.fixture
def photographs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder whose `data/COCO2017` holds small photographs."""
    monkeypatch.chdir(tmp_path)
    for subset, seed in (("train2017", 1), ("val2017", 2)):
        folder = tmp_path / "data" / "COCO2017" / subset
        folder.mkdir(parents=True)
        for number, image in enumerate(made_images(5, seed)):
            pixels = (image * 255).byte().permute(1, 2, 0).numpy()
            Image.fromarray(pixels).save(folder / f"{number:012d}.jpg")
    return tmp_path


def test_the_small_run_from_nothing_to_a_validated_encoder(
    photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--config", "data/coco2017", "--config"]
    tower = run(["fit", *data, "clip/tiny_tower", *SHORT, *QUIET])
    assert isinstance(tower.model, InstanceDiscrimination)
    made = photographs / "runs" / "clip" / "tiny_tower" / "image_encoder"
    assert read_encoder(str(made)).side == 64
    command = run(["fit", *data, "clip/blur_robust_small", *SHORT, *QUIET, "--trainer.check_val_every_n_epoch=1"])
    module = command.model
    assert isinstance(module, BlurRobustCLIP)
    assert module.sigma == (0.3, 4.0)
    assert (photographs / "runs" / "clip" / "blur_robust_small" / "image_encoder" / "model.safetensors").is_file()
    table = (photographs / "runs" / "clip" / "blur_robust_small" / "blur_robustness.md").read_text()
    assert table.startswith("runs/clip/tiny_tower on COCO2017, step 2: cosines to the frozen encoder's")
    fitted = module.scores
    capsys.readouterr()
    (checkpoint,) = photographs.glob("runs/lightning_logs/version_1/checkpoints/*.ckpt")
    again = run(["validate", *data, "clip/blur_robust_small", *QUIET, "--ckpt_path", str(checkpoint)])
    assert isinstance(again.model, BlurRobustCLIP)
    assert again.model.scores == pytest.approx(fitted, abs=1e-5)
    shown = capsys.readouterr().out
    assert "Blurred to clean embeddings" in shown
    assert f"{fitted['cosine_sigma_4/after']:.4f}" in shown
    assert "val/cosine_sigma_4/after" in shown


def test_without_its_tower_the_small_run_says_what_to_do(photographs: Path) -> None:
    with pytest.raises(
        ClipError, match=r"no folder runs/clip/tiny_tower, and .*, or make one by the config clip/tiny_t"
    ):
        run(["fit", "--config", "data/coco2017", "--config", "clip/blur_robust_small", *SHORT, *QUIET])


def test_the_full_run_is_complete_and_reads_nothing_when_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(["fit", "--config", "data/coco2017", "--config", "clip/blur_robust", "--print_config"])
    assert caught.value.code == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    settings = printed["model"]["init_args"]
    assert settings["checkpoint"] == "sd2-community/stable-diffusion-2-1-unclip-small"
    assert settings["subfolder"] == "image_encoder"
    assert settings["sigma"] == [0.5, 8.0]
    assert (printed["data"]["init_args"]["side"], printed["data"]["init_args"]["root"]) == (224, "data/COCO2017")
    steps = -(-118287 // printed["data"]["init_args"]["batch_size"]) * printed["trainer"]["max_epochs"]
    schedule = settings["scheduler"]["init_args"]
    assert schedule["total"] is None
    assert round(schedule["warmup"] * steps) == 500
