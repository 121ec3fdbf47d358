"""Reading the encoder of a pipeline, writing one that the pipeline's slot loads, and the sentences."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.commands.export import main as export
from lightning_modules import CheckpointError, ClipError
from lightning_modules.clip.encoder import encoder_of_run, read_encoder, write_encoder
from tests.lightning_modules.tiny_clip import (
    MEAN,
    SPREAD,
    MadePhotographs,
    made_images,
    save_tiny_encoder,
    tiny_blur_robust,
    tiny_trainer,
)


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    return save_tiny_encoder(tmp_path / "pipeline")


def test_a_pipeline_and_its_encoder_folder_are_the_same_encoder(pipeline: Path) -> None:
    first, second = read_encoder(str(pipeline)), read_encoder(str(pipeline / "image_encoder"))
    assert (first.side, first.width) == (32, 16)
    for name, value in first.network.state_dict().items():
        assert torch.equal(value, second.network.state_dict()[name])
    for encoder in (first, second):
        mean, spread = encoder.normalisation()
        assert mean.flatten().tolist() == pytest.approx(MEAN)
        assert spread.flatten().tolist() == pytest.approx(SPREAD)


def test_the_packaged_tower_is_seeded_and_leaves_the_random_state(caplog: pytest.LogCaptureFixture) -> None:
    before = torch.random.get_rng_state()
    first, second = read_encoder("tiny_vision"), read_encoder("tiny_vision")
    assert torch.equal(torch.random.get_rng_state(), before)
    for name, value in first.network.state_dict().items():
        assert torch.equal(value, second.network.state_dict()[name])
    assert (first.side, first.width) == (64, 64)
    assert first.normalisation()[0].flatten().tolist() == pytest.approx([0.48145466, 0.4578275, 0.40821073])


def test_without_a_preprocessor_the_images_are_normalised_as_clips(
    pipeline: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(pipeline / "feature_extractor")
    encoder = read_encoder(str(pipeline))
    assert encoder.normalisation()[1].flatten().tolist() == pytest.approx([0.26862954, 0.26130258, 0.27577711])
    assert "has no preprocessor_config.json; its images are normalised as CLIP's" in caplog.text


def test_the_written_folder_loads_in_the_pipelines_slot(pipeline: Path) -> None:
    from transformers import CLIPVisionModelWithProjection

    module = tiny_blur_robust(pipeline)
    trainer = tiny_trainer(pipeline, max_epochs=1, limit_val_batches=0)
    trainer.fit(module, MadePhotographs())
    folder = pipeline / "result" / "image_encoder"
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    ]
    assert [path.name for path in folder.parent.iterdir()] == ["image_encoder"]
    loaded = CLIPVisionModelWithProjection.from_pretrained(folder, local_files_only=True).eval()
    images = made_images(3, 9)
    pixels = (images - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(SPREAD).view(3, 1, 1)
    with torch.no_grad():
        found, expected = loaded(pixels).image_embeds, module(images)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    assert float((found - module.frozen(images)).abs().max()) > 1e-2
    again = read_encoder(str(folder.parent))
    assert again.normalisation()[0].flatten().tolist() == pytest.approx(MEAN)

    trainer.save_checkpoint(pipeline / "run.ckpt")
    shutil.move(folder, pipeline / "first")
    assert export([str(pipeline / "run.ckpt"), str(folder)]) == 0
    for name in ("config.json", "model.safetensors", "preprocessor_config.json"):
        assert (folder / name).read_bytes() == (pipeline / "first" / name).read_bytes(), name


def test_an_encoder_is_written_over_an_earlier_one(pipeline: Path, tmp_path: Path) -> None:
    encoder = read_encoder(str(pipeline))
    write_encoder(read_encoder("tiny_vision"), tmp_path / "out")
    write_encoder(encoder, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "config.json").read_text())["hidden_size"] == 32
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "pipeline"]


def test_an_encoder_that_cannot_be_written_leaves_the_earlier_one(
    pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = read_encoder(str(pipeline))
    write_encoder(encoder, tmp_path / "out")
    kept = (tmp_path / "out" / "model.safetensors").read_bytes()

    def full(folder: Path) -> None:
        Path(folder).mkdir()
        raise OSError("No space left on device")

    monkeypatch.setattr(encoder.network, "save_pretrained", full)
    with pytest.raises(OSError, match="No space left"):
        write_encoder(encoder, tmp_path / "out")
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == kept
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "pipeline"]


def test_a_checkpoint_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import CLIPVisionModelWithProjection

    def unreachable(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        raise OSError("We couldn't connect to the server to load this file.\nCheck your connection.")

    monkeypatch.setattr(CLIPVisionModelWithProjection, "from_pretrained", unreachable)
    with pytest.raises(ClipError) as caught:
        read_encoder("somebody/unclip")
    sentence = str(caught.value)
    assert sentence.startswith("The encoder of somebody/unclip cannot be loaded (We couldn't connect to the server")
    assert "without a network give `checkpoint` the folder of a downloaded pipeline" in sentence
    assert "\n" not in sentence


def test_folders_without_the_encoder(pipeline: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ClipError,
        match=r"holds no encoder, neither config\.json nor image_encoder/config\.json, but feature_extractor, im",
    ):
        read_encoder(str(_without_config(pipeline)))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ClipError, match=r"nor image_encoder/config\.json, but nothing; give the folder of an unCLIP"):
        read_encoder(str(tmp_path / "empty"))
    weights = save_tiny_encoder(tmp_path / "cut") / "image_encoder" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:3000])
    with pytest.raises(ClipError, match=r"The encoder of .*cut cannot be loaded \(.*\); without a network give"):
        read_encoder(str(tmp_path / "cut"))


def _without_config(pipeline: Path) -> Path:
    (pipeline / "image_encoder" / "config.json").unlink()
    return pipeline


def test_weights_of_another_model_are_refused(pipeline: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    file = pipeline / "image_encoder" / "model.safetensors"
    state = load_file(file)
    save_file({name: value for name, value in state.items() if "projection" not in name}, file, {"format": "pt"})
    with pytest.raises(
        ClipError, match=r"not those of a CLIP vision .*: 1 are missing .*first: visual_projection\.weight"
    ):
        read_encoder(str(pipeline))
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    with pytest.raises(
        CheckpointError, match=r"other\.ckpt holds no CLIP vision encoder; give one that BlurRobustCLIP"
    ):
        encoder_of_run(tmp_path / "other.ckpt")
