"""Embeddings of task sentences: both encoders, tiny and saved as a user would have them, and the files they leave."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_modules import MPHSIR, TextPrompts
from lightning_modules.clip.text_prompts import SENTENCES, TextEncoderError
from tests.plain.mp_hsir import COMPACT

TASKS = ("blur", "mask")


@pytest.fixture(scope="module")
def transformers_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random CLIP text model with its tokenizer, saved by `save_pretrained`."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("transformers")
    letters = [chr(code) for code in range(97, 123)]
    words = ["<|startoftext|>", "<|endoftext|>", ".", ",", *letters, *(f"{letter}</w>" for letter in letters)]
    tokenizer = transformers.CLIPTokenizer(vocab={word: index for index, word in enumerate(words)}, merges=[])
    torch.manual_seed(0)
    config = transformers.CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=16,
        projection_dim=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=96,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    transformers.CLIPTextModelWithProjection(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def open_clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random CLIP model in open_clip's own layout: configuration and weights in one folder."""
    open_clip = pytest.importorskip("open_clip")
    folder = tmp_path_factory.mktemp("open_clip")
    vision = {"image_size": 8, "layers": 1, "width": 64, "head_width": 32, "patch_size": 4}
    text = {"context_length": 32, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
    config = {"embed_dim": 8, "vision_cfg": vision, "text_cfg": text}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    torch.manual_seed(0)
    torch.save(open_clip.CLIP(**config).state_dict(), folder / "open_clip_pytorch_model.bin")
    return folder


def check_embeddings(embeddings: Tensor, expected: Tensor) -> None:
    """Embeddings are the encoder's own, not normalised and different for each sentence."""
    assert embeddings.dtype == torch.float32
    assert embeddings.shape == (2, 8)
    torch.testing.assert_close(embeddings, expected, rtol=1e-4, atol=1e-5)
    assert (embeddings.norm(dim=1) - 1).abs().min() > 1e-3
    assert (embeddings[0] - embeddings[1]).norm() > 1e-3


def test_transformers_encoder_gives_each_sentence_its_projected_embedding(
    transformers_folder: Path, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer, CLIPTextModelWithProjection

    made = TextPrompts(str(transformers_folder), cache=str(tmp_path)).encode(TASKS)
    model = CLIPTextModelWithProjection.from_pretrained(transformers_folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(transformers_folder)
    with torch.no_grad():
        # One by one: padding must not matter.
        alone = [model(**tokenizer([SENTENCES[task]], return_tensors="pt")).text_embeds for task in TASKS]
    check_embeddings(made, torch.cat(alone))


def test_open_clip_encoder_gives_each_sentence_its_projected_embedding(open_clip_folder: Path, tmp_path: Path) -> None:
    import open_clip

    name = f"local-dir:{open_clip_folder}"
    made = TextPrompts(name, library="open_clip", cache=str(tmp_path)).encode(TASKS)
    model = open_clip.create_model(name).eval()
    with torch.no_grad():
        expected = model.encode_text(open_clip.get_tokenizer(name)([SENTENCES[task] for task in TASKS]))
    check_embeddings(made, expected)


@pytest.fixture
def encodings(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What was encoded, by an encoder that gives every sentence its length."""
    calls: list[list[str]] = []

    def encode(encoder: str, revision: str | None, sentences: Sequence[str]) -> Tensor:
        calls.append(list(sentences))
        return torch.tensor([[float(len(sentence)), 1.0] for sentence in sentences])

    monkeypatch.setattr("lightning_modules.clip.text_prompts._encode_transformers", encode)
    return calls


def test_a_second_run_needs_no_encoder(encodings: list[list[str]], tmp_path: Path) -> None:
    first = TextPrompts(cache=str(tmp_path)).encode(TASKS)
    assert first.tolist() == [[len(SENTENCES["blur"]), 1], [len(SENTENCES["mask"]), 1]]
    again = TextPrompts(cache=str(tmp_path)).encode(TASKS)
    assert torch.equal(first, again)
    assert encodings == [[SENTENCES["blur"], SENTENCES["mask"]]]
    assert [path.suffix for path in tmp_path.iterdir()] == [".npz"]
    with np.load(next(tmp_path.iterdir()), allow_pickle=False) as kept:
        assert kept["sentences"].tolist() == [SENTENCES["blur"], SENTENCES["mask"]]


def test_encoder_revision_library_sentences_and_order_have_files_of_their_own(tmp_path: Path) -> None:
    prompts = [
        TextPrompts(cache=str(tmp_path)),
        TextPrompts("other", cache=str(tmp_path)),
        TextPrompts(revision="other", cache=str(tmp_path)),
        TextPrompts(library="open_clip", cache=str(tmp_path)),
        TextPrompts(sentences={"blur": "Another sentence."}, cache=str(tmp_path)),
    ]
    assert len({one.path(TASKS) for one in prompts} | {prompts[0].path(TASKS[::-1])}) == 6
    assert prompts[0].path(TASKS) == TextPrompts(sentences={"haze": "Unused."}, cache=str(tmp_path)).path(TASKS)


def test_own_sentences_replace_ours(encodings: list[list[str]], tmp_path: Path) -> None:
    TextPrompts(sentences={"blur": "Blurred.", "fog": "Foggy."}, cache=str(tmp_path)).encode(["fog", "blur", "mask"])
    assert encodings == [["Foggy.", "Blurred.", SENTENCES["mask"]]]


def test_damaged_embeddings_are_made_again(
    encodings: list[list[str]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    prompts = TextPrompts(cache=str(tmp_path))
    whole = prompts.encode(TASKS)
    path = prompts.path(TASKS)
    path.write_bytes(path.read_bytes()[:100])
    assert torch.equal(prompts.encode(TASKS), whole)
    assert "is damaged" in caplog.text
    assert len(encodings) == 2
    prompts.encode(TASKS)
    assert len(encodings) == 2


def test_a_changed_encoder_on_disk_encodes_again_and_a_removed_one_is_not_missed(
    encodings: list[list[str]], tmp_path: Path
) -> None:
    encoder = tmp_path / "encoder"
    encoder.mkdir()
    weights = encoder / "model.safetensors"
    weights.write_bytes(b"first")
    prompts = TextPrompts(str(encoder), cache=str(tmp_path / "cache"))
    prompts.encode(TASKS)
    prompts.encode(TASKS)
    assert len(encodings) == 1
    weights.write_bytes(b"finetuned")
    prompts.encode(TASKS)
    assert len(encodings) == 2
    weights.unlink()
    encoder.rmdir()
    prompts.encode(TASKS)
    assert len(encodings) == 2


def test_cache_lies_in_the_users_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYPERALIGN_CACHE", "there")
    assert TextPrompts().path(TASKS).parent == Path("there/text")
    monkeypatch.delenv("HYPERALIGN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "user")
    assert TextPrompts().path(TASKS).parent == Path("user/hyperalign/text")


def test_network_encodes_its_tasks_once(encodings: list[list[str]], tmp_path: Path) -> None:
    prompts = TextPrompts(cache=str(tmp_path))
    network = MPHSIR(**COMPACT | {"text_embedding": prompts, "text_channels": 2}).eval()
    assert not encodings
    for _ in range(2):
        network(torch.rand(1, 31, 16, 16))
    assert encodings == [[SENTENCES["gaussian_noise"], SENTENCES["blur"]]]
    assert torch.equal(network.text.embedding, prompts.encode(COMPACT["tasks"]))


def test_unreachable_encoders_give_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for name in ("nobody/nothing", str(tmp_path / "absent")):
        with pytest.raises(TextEncoderError, match=r"cannot be loaded .*folder that save_pretrained wrote") as caught:
            TextPrompts(name, cache=str(tmp_path)).encode(TASKS)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_unreachable_open_clip_weights_give_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("open_clip")
    absent = str(tmp_path / "absent.pt")
    with pytest.raises(TextEncoderError, match=r"ViT-B-32 \(.*absent.pt\) cannot be loaded .*local-dir:FOLDER"):
        TextPrompts("ViT-B-32", library="open_clip", revision=absent, cache=str(tmp_path)).encode(TASKS)
    with pytest.raises(ValueError, match="ViT-B-32 needs weights; set `revision`"):
        TextPrompts("ViT-B-32", library="open_clip", cache=str(tmp_path)).encode(TASKS)


@pytest.mark.parametrize(("library", "package"), [("transformers", "transformers"), ("open_clip", "open_clip_torch")])
def test_a_missing_package_gives_a_sentence(
    library: str, package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(TextEncoderError, match=f"{library} is not installed; run pip install {package}"):
        TextPrompts(library=library, cache=str(tmp_path)).encode(TASKS)  # type: ignore[arg-type]


def test_wrong_settings_give_a_sentence(tmp_path: Path, encodings: list[list[str]]) -> None:
    with pytest.raises(ValueError, match="library 'clip' is unknown; choose 'transformers' or 'open_clip'"):
        TextPrompts(library="clip")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no sentence for fog; give it by `sentences`"):
        TextPrompts(cache=str(tmp_path)).encode(["fog"])
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"cannot be written to .*name another folder by `cache`"):
        TextPrompts(cache=str(tmp_path / "file" / "below")).encode(TASKS)
