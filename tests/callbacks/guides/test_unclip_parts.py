"""Checkpoints that cannot be used, each answered by one sentence; which weights a folder holds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from callbacks.guides import unclip_parts
from callbacks.guides.unclip_parts import Weights, load_parts
from tests.callbacks.guides.tiny_unclip import tiny_encoder, tiny_pipeline

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def refused(weights: Weights) -> str:
    """The sentence with which weights are refused."""
    with pytest.raises(ValueError, match="UnCLIPGuides") as caught:
        load_parts(weights, torch.float32)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return sentence


def test_an_id_out_of_reach_is_answered_with_the_offline_way() -> None:
    sentence = refused(Weights("nobody/has-this-unclip", local_files_only=True))
    assert sentence.startswith("UnCLIPGuides: nobody/has-this-unclip cannot be loaded (")
    assert sentence.endswith(
        "save the checkpoint on a machine that reaches it and give that folder as `checkpoint`, with local_files_only "
        "true."
    )


def test_a_network_that_fails_half_way_gives_the_same_sentence(
    checkpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from diffusers import StableUnCLIPImg2ImgPipeline

    def fail(*_: object, **__: object) -> None:
        raise ConnectionError("the connection was\nlost.")

    monkeypatch.setattr(StableUnCLIPImg2ImgPipeline, "from_pretrained", fail)
    assert "cannot be loaded (the connection was): save" in refused(Weights(checkpoint))


@pytest.mark.parametrize("part", ["unet/diffusion_pytorch_model.safetensors", "image_encoder/model.safetensors"])
def test_a_file_that_was_copied_half_gives_the_same_sentence(checkpoint: str, tmp_path: Path, part: str) -> None:
    shutil.copytree(checkpoint, tmp_path / "half")
    file = tmp_path / "half" / part
    file.write_bytes(file.read_bytes()[:10000])
    assert f"{tmp_path / 'half'} cannot be loaded (" in refused(Weights(str(tmp_path / "half")))


def test_a_pipeline_of_another_kind_is_refused_before_its_weights_are_read(tmp_path: Path) -> None:
    from diffusers import StableDiffusionPipeline

    parts = tiny_pipeline().components
    names = ("vae", "text_encoder", "tokenizer", "unet", "scheduler", "feature_extractor")
    plain = StableDiffusionPipeline(
        **{name: parts[name] for name in names}, safety_checker=None, requires_safety_checker=False
    )
    plain.save_pretrained(tmp_path)
    assert refused(Weights(str(tmp_path))) == (
        f"UnCLIPGuides: {tmp_path} is a StableDiffusionPipeline without image_encoder, image_normalizer, "
        "image_noising_scheduler: give a checkpoint for StableUnCLIPImg2ImgPipeline."
    )


def test_embeddings_of_another_width_are_refused(checkpoint: str, tmp_path: Path) -> None:
    tiny_encoder(24).save_pretrained(tmp_path / "wide")
    assert refused(Weights(checkpoint, str(tmp_path / "wide"))) == (
        f"UnCLIPGuides: its image encoder {tmp_path / 'wide'} gives embeddings of width 24, but the image normaliser "
        f"takes embeddings of width 16 instead of 24 in {checkpoint}: take an encoder and a checkpoint that belong "
        "together."
    )


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"unet": {"projection_class_embeddings_input_dim": 48}}, "levels of width 48 instead of 32 in x: take an enc"),
        ({"unet": {"class_embed_type": None}}, "the UNet takes embeddings and noise levels of width None instead of"),
        ({"text_encoder": {"hidden_size": 8}}, "the text encoder of x gives tokens of width 8, but its UNet takes 16"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(changed: dict[str, dict[str, Any]], sentence: str) -> None:
    configs: dict[str, dict[str, Any]] = {
        "image_encoder": {"projection_dim": 16},
        "image_normalizer": {"embedding_dim": 16},
        "text_encoder": {"hidden_size": 16},
        "unet": {
            "cross_attention_dim": 16,
            "class_embed_type": "projection",
            "projection_class_embeddings_input_dim": 32,
        },
    }
    modules = {
        name: SimpleNamespace(config=SimpleNamespace(**config | changed.get(name, {})))
        for name, config in configs.items()
    }
    with pytest.raises(ValueError, match="UnCLIPGuides") as caught:
        unclip_parts._check_widths(Weights("x"), modules)
    assert sentence in str(caught.value)


def test_a_missing_encoder_folder_is_named(checkpoint: str, tmp_path: Path) -> None:
    sentence = (
        f"UnCLIPGuides: the image_encoder {tmp_path} is no folder with a config.json: give the folder that "
        "BlurRobustCLIP saved, or null for the checkpoint's own encoder."
    )
    assert refused(Weights(checkpoint, str(tmp_path))) == sentence
    with pytest.raises(ValueError, match="is no folder with a"):
        Weights(checkpoint, str(tmp_path)).settings()


def test_another_encoder_takes_the_slot_and_the_old_name_of_the_extractor_is_understood(
    checkpoint: str, tmp_path: Path
) -> None:
    shutil.copytree(checkpoint, tmp_path / "old")
    index = json.loads((tmp_path / "old" / "model_index.json").read_text())
    index["feature_extractor"] = ["transformers", "CLIPFeatureExtractor"]
    (tmp_path / "old" / "model_index.json").write_text(json.dumps(index))
    robust = tiny_encoder(seed=5)
    robust.save_pretrained(tmp_path / "robust")
    parts = load_parts(Weights(str(tmp_path / "old"), str(tmp_path / "robust")), torch.bfloat16)
    assert {next(module.parameters()).dtype for module in parts.modules.values()} == {torch.bfloat16}
    for key, value in robust.state_dict().items():
        assert torch.equal(parts.modules["image_encoder"].state_dict()[key], value.to(torch.bfloat16))


def test_networks_are_lent_and_taken_back_when_offloaded(checkpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    moves: list[tuple[str, torch.dtype]] = []
    kept, lent = (load_parts(Weights(checkpoint), torch.float32, offload) for offload in (False, True))
    monkeypatch.setattr(unclip_parts, "_move", lambda module, device, dtype: moves.append((str(device), dtype)))
    with kept.at("unet", torch.device("cuda", 1)):
        pass
    assert moves == [("cuda:1", torch.float32)]
    with lent.at("unet", torch.device("cuda", 1)):
        pass
    assert moves[1:] == [("cuda:1", torch.float32), ("cpu", torch.float32)]


def test_half_precision_comes_back_from_float32_unchanged(checkpoint: str) -> None:
    parts = load_parts(Weights(checkpoint), torch.bfloat16)
    before = {key: value.clone() for key, value in parts.modules["unet"].state_dict().items()}
    with parts.in_float32(), parts.at("unet", torch.device("cpu")) as unet:
        assert next(unet.parameters()).dtype == torch.float32
    assert parts.dtype == torch.bfloat16
    assert all(torch.equal(value, before[key]) for key, value in parts.modules["unet"].state_dict().items())
    assert before["conv_in.weight"].dtype == torch.bfloat16
