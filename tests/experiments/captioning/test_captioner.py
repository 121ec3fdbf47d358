"""Image-to-text models of three kinds, tiny and random, loaded from a folder as a user would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.captioning.captioner import Captioner, CaptionModelError
from tests.experiments.tiny_captioners import save_blip, save_chat, save_encoder_decoder


def pictures() -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray((rng.random((20, 24, 3)) * rng.random(3) * 255).astype(np.uint8)) for _ in range(3)]


@pytest.fixture(scope="module")
def blip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_blip(tmp_path_factory.mktemp("blip"))


def test_the_caption_is_the_models_own_greedy_one(blip: Path) -> None:
    from transformers import BlipForConditionalGeneration, BlipProcessor

    network, processor = BlipForConditionalGeneration.from_pretrained(blip), BlipProcessor.from_pretrained(blip)
    for prompt in ("", "a red"):
        captions = []
        for picture in pictures():
            inputs = processor(images=picture, text=prompt or None, return_tensors="pt")
            with torch.no_grad():
                tokens = network.eval().generate(**inputs, max_new_tokens=6)[0]
            captions.append(processor.decode(tokens, skip_special_tokens=True))
        captioner = Captioner(str(blip), prompt=prompt, max_new_tokens=6, device="cpu")
        assert [captioner(picture) for picture in pictures()] == captions
        assert len(set(captions)) > 1
        assert all(caption.startswith(prompt) for caption in captions)


@pytest.mark.parametrize("save", [save_encoder_decoder, save_chat])
def test_other_kinds_of_model_look_at_the_picture(save: Callable[[Path], Path], tmp_path: Path) -> None:
    captioner = Captioner(str(save(tmp_path)), max_new_tokens=6, device="cpu")
    captions = [captioner(picture) for picture in pictures()]
    assert len(set(captions)) > 1
    assert captions == [captioner(picture) for picture in pictures()]
    # neither the instruction nor the image's place in it is part of the answer
    assert all(1 <= len(caption.split()) <= 6 for caption in captions)


def test_a_chat_model_answers_the_prompt(tmp_path: Path) -> None:
    folder = str(save_chat(tmp_path))
    answers = {Captioner(folder, prompt=prompt, max_new_tokens=6)(pictures()[0]) for prompt in ("glass", "of a table")}
    assert len(answers) == 2
    assert not any("table wall" in answer or "glass wall" in answer for answer in answers)


def test_a_prompt_that_a_model_cannot_read_is_one_sentence(tmp_path: Path) -> None:
    captioner = Captioner(str(save_encoder_decoder(tmp_path)), prompt="a red")
    with pytest.raises(CaptionModelError, match=r"cannot caption with the prompt 'a red' \(.*\); set `--prompt` as"):
        captioner(pictures()[0])


def test_models_that_do_not_load_are_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, blip: Path) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for path in blip.iterdir():
        (damaged / path.name).write_bytes(path.read_bytes()[: None if path.suffix == ".json" else 100])
    for name in ("nobody/nothing", str(tmp_path / "absent"), str(damaged)):
        with pytest.raises(CaptionModelError, match=r"cannot be loaded \(.*`--model FOLDER`, which needs no") as caught:
            Captioner(name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_wrong_settings_are_one_sentence(blip: Path) -> None:
    with pytest.raises(ValueError, match="caption of 0 tokens is not possible; set `max_new_tokens` to at least 1"):
        Captioner(str(blip), max_new_tokens=0)
    for device in ("toaster", "cuda:77"):
        with pytest.raises(CaptionModelError, match=rf"The device {device} cannot hold .*; set `--device cpu`"):
            Captioner(str(blip), device=device)
