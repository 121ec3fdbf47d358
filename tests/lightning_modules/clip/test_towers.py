"""CLIP's towers: what open_clip itself gives, kept on disk, frozen, and one sentence when they cannot be had."""

from __future__ import annotations

import json
import logging
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from lightning_modules import ClipError, ClipTowers
from lightning_modules.clip.towers import PACKAGED

open_clip = pytest.importorskip("open_clip")
CUP, CAR = "a red cup on a table", "a car"
NO_DOWNLOAD = "no route to host"


def tiny(cache: Path) -> ClipTowers:
    return ClipTowers("tiny-random", None, cache=str(cache))


@pytest.fixture(scope="module")
def towers(tmp_path_factory: pytest.TempPathFactory) -> ClipTowers:
    return tiny(tmp_path_factory.mktemp("towers"))


@pytest.fixture
def no_towers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever makes the towers fails: only what is kept can be had."""

    def create(self: ClipTowers) -> None:
        raise AssertionError("the towers were made")

    monkeypatch.setattr(ClipTowers, "_create", create)


def test_tokens_and_embeddings_are_those_of_the_text_tower(towers: ClipTowers) -> None:
    tokens, mask = towers.tokens([CUP, CAR])
    network = towers._loaded()
    ids = open_clip.get_tokenizer("tiny-random")([CUP, CAR])
    with torch.no_grad():
        embedding = network.encode_text(ids)
        hidden = network.token_embedding(ids) + network.positional_embedding
        hidden = network.ln_final(network.transformer(hidden, attn_mask=network.attn_mask))
    # Six words and the end token, two words and the end token; the start token, the same for all, is not among them.
    assert mask.sum(dim=1).tolist() == [7, 3]
    assert not mask[:, 0].any()
    assert tokens.shape == (2, 77, 32)
    torch.testing.assert_close(tokens[mask], hidden[mask], rtol=0, atol=1e-5)
    assert float(tokens[~mask].abs().max()) == 0
    torch.testing.assert_close(towers.text_embeddings([CUP, CAR]), embedding, rtol=0, atol=1e-5)


def test_a_caption_has_the_same_numbers_alone_and_among_others(towers: ClipTowers, tmp_path: Path) -> None:
    alone = tiny(tmp_path)
    assert torch.equal(alone.tokens([CAR])[0][0], towers.tokens([CUP, CAR])[0][1])
    assert torch.equal(alone.text_embeddings([CAR])[0], towers.text_embeddings([CAR, CAR])[1])


def test_images_are_prepared_as_open_clip_prepares_pictures(towers: ClipTowers) -> None:
    bands = [Image.effect_mandelbrot((70, 50), (-2, -1.5, 1, 1.5), 100 - 30 * k).rotate(10 * k) for k in range(3)]
    picture = Image.merge("RGB", bands)
    rgb = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] / 255
    found = towers.image_embeddings(rgb)
    network = towers._loaded()
    transform = open_clip.transform.image_transform_v2(
        open_clip.transform.PreprocessCfg(**network.visual.preprocess_cfg), is_train=False
    )
    with torch.no_grad():
        prepared = transform(picture)[None]
        expected = network.encode_image(prepared)
    # Pillow rounds and clips to 8 bits between the passes of its resampling; one pixel's shift would be 0.1 on average.
    assert float((towers._prepared(rgb) - prepared).abs().mean()) < 0.005
    torch.testing.assert_close(found, expected, rtol=0, atol=0.02)
    assert float((found - towers.image_embeddings(rgb.flip(1))).abs().max()) > 0.02


def test_captions_are_encoded_once_and_then_read(tmp_path: Path, towers: ClipTowers, request: Any) -> None:  # noqa: ANN401
    first = tiny(tmp_path)
    tokens, mask = first.tokens([CUP])
    embedding = first.text_embeddings([CUP])
    (path,) = tmp_path.glob("*.npz")
    with np.load(path, allow_pickle=False) as file:
        assert file["tokens"].shape == (7, 32)
    request.getfixturevalue("no_towers")
    again = tiny(tmp_path)
    assert torch.equal(again.tokens([CUP])[0], tokens)
    assert torch.equal(again.tokens([CUP])[1], mask)
    assert torch.equal(again.text_embeddings([CUP]), embedding)
    with pytest.raises(AssertionError, match="the towers were made"):
        again.tokens([CAR])


def test_a_damaged_file_is_made_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = tiny(tmp_path).text_embeddings([CUP])
    (path,) = tmp_path.glob("*.npz")
    path.write_bytes(path.read_bytes()[:100])
    assert torch.equal(tiny(tmp_path).text_embeddings([CUP]), before)
    assert "is damaged" in caplog.text
    assert list(tmp_path.iterdir()) == [path]


def test_images_that_come_again_are_kept(tmp_path: Path, towers: ClipTowers, request: Any) -> None:  # noqa: ANN401
    rgb = torch.rand(2, 3, 20, 24, generator=torch.Generator().manual_seed(0))
    kept = tiny(tmp_path).image_embeddings(rgb, keep=True)
    torch.testing.assert_close(kept, towers.image_embeddings(rgb), rtol=0, atol=1e-5)
    assert len(list(tmp_path.glob("*.npz"))) == 2
    request.getfixturevalue("no_towers")
    assert torch.equal(tiny(tmp_path).image_embeddings(rgb.flip(0), keep=True), kept.flip(0))
    with pytest.raises(AssertionError, match="the towers were made"):
        tiny(tmp_path).image_embeddings(rgb * 0.5, keep=True)


def test_what_was_encoded_while_validating_serves_training(tmp_path: Path) -> None:
    towers, rgb = tiny(tmp_path), torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        towers.tokens([CUP])
        towers.image_embeddings(rgb, keep=True)
    weight = nn.Parameter(torch.ones(32))
    for encoded in (towers.tokens([CUP])[0], towers.text_embeddings([CUP]), towers.image_embeddings(rgb, keep=True)):
        (encoded * weight).sum().backward()
        assert not encoded.requires_grad
    assert all(not parameter.requires_grad for parameter in towers._loaded().parameters())


def test_autocast_does_not_reach_the_towers(towers: ClipTowers, tmp_path: Path) -> None:
    rgb = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(tiny(tmp_path).text_embeddings([CUP]), towers.text_embeddings([CUP]))
        embedding = towers.image_embeddings(rgb)
    assert torch.equal(embedding, towers.image_embeddings(rgb))


def test_a_caption_that_is_too_long_is_reported_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    towers = tiny(tmp_path)
    caption = " ".join(["grey"] * 75) + " stones and a lake"
    with caplog.at_level(logging.WARNING):
        tokens, mask = towers.tokens([caption])
        towers.text_embeddings([caption])
        tiny(tmp_path)
    assert int(mask.sum()) == 76
    cut = "A caption is longer than 77 tokens and was cut; left out: 'stones and a lake'."
    assert [record.getMessage() for record in caplog.records].count(cut) == 1
    shortened = towers.tokens([" ".join(["grey"] * 75)])[0]
    torch.testing.assert_close(tokens, shortened, rtol=0, atol=1e-6)


def test_making_the_towers_leaves_the_random_stream_alone(tmp_path: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    tiny(tmp_path).tokens([CUP])
    assert torch.equal(torch.rand(2), expected)


def test_weights_from_a_file_and_a_configuration_of_ones_own(tmp_path: Path) -> None:
    settings = json.loads((PACKAGED / "tiny-random.json").read_text())
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "own-tower.json").write_text(json.dumps({**settings, "embed_dim": 16}))
    random = ClipTowers("own-tower", None, str(tmp_path / "configs"), str(tmp_path))
    assert random.text_embeddings([CUP]).shape == (1, 16)
    weights = {name: value * 1.5 for name, value in random._loaded().state_dict().items()}
    torch.save(weights, tmp_path / "own.pt")
    loaded = ClipTowers("own-tower", str(tmp_path / "own.pt"), str(tmp_path / "configs"), str(tmp_path))
    with torch.no_grad():
        expected = loaded._loaded().encode_text(open_clip.get_tokenizer("own-tower")([CUP]))
    assert torch.equal(loaded._loaded().ln_final.weight, weights["ln_final.weight"])
    # Not what the random weights left on disk: other weights are another key.
    torch.testing.assert_close(loaded.text_embeddings([CUP]), expected, rtol=0, atol=1e-5)
    assert len({one.settings()["identity"] for one in (random, loaded, tiny(tmp_path))}) == 3


def refused(towers: ClipTowers, sentence: str) -> None:
    with pytest.raises(ClipError, match=f"^{re.escape(sentence)}"):
        towers.tokens([CUP])


def test_absent_weights_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(*_: object, **__: object) -> None:
        raise OSError(NO_DOWNLOAD)

    monkeypatch.setattr("open_clip.factory.download_pretrained", download)
    advice = (
        "; without a network give `pretrained` a local file, or take model tiny-random with pretrained null, which "
        "knows no language."
    )
    reason = f"(Failed to download weights for tag 'openai': {NO_DOWNLOAD})"
    refused(
        ClipTowers(cache=str(tmp_path)),
        f"ClipTowers: the weights openai of ViT-B-32 cannot be loaded {reason}{advice}",
    )
    refused(
        ClipTowers("tiny-random", str(tmp_path / "absent.pt"), cache=str(tmp_path)),
        f"ClipTowers: the weights {tmp_path / 'absent.pt'} of tiny-random cannot be loaded (",
    )
    (tmp_path / "damaged.pt").write_bytes(b"no weights")
    refused(
        ClipTowers("tiny-random", str(tmp_path / "damaged.pt"), cache=str(tmp_path)),
        f"ClipTowers: the weights {tmp_path / 'damaged.pt'} of tiny-random cannot be loaded (",
    )
    refused(
        ClipTowers("no-such-model", None, cache=str(tmp_path)),
        "ClipTowers: the model no-such-model cannot be loaded (Model config for 'no-such-model' not found in built-ins",
    )
    refused(
        ClipTowers("tiny-random", None, str(tmp_path / "nowhere"), str(tmp_path)),
        f"ClipTowers: there is no folder {tmp_path / 'nowhere'}; give one of JSON files by `config_folder`.",
    )


def test_other_tokenizers_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_clip, "get_tokenizer", lambda _: None)
    sentence = "ClipTowers: tiny-random does not read text as CLIP does; choose a model with CLIP's own tokenizer, such"
    refused(tiny(tmp_path), sentence)


def test_a_missing_package_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open_clip", None)
    sentence = "ClipTowers: the package open_clip is not installed; run pip install open_clip_torch, or bring the kept"
    refused(tiny(tmp_path), sentence)


def test_an_unwritable_cache_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        OSError, match=r"^Embeddings cannot be written to .*file \(.*\); name another folder by `cache`"
    ):
        tiny(tmp_path / "file").tokens([CUP])


def test_the_activation_follows_the_tag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenAI's weights were trained with QuickGELU, which the plain architecture of that name does not have."""
    asked: list[dict[str, Any]] = []

    def create(model: str, **settings: Any) -> nn.Module:  # noqa: ANN401
        asked.append(settings)
        raise RuntimeError("enough")

    monkeypatch.setattr(open_clip, "create_model", create)
    for tag in ("openai", "laion2b_s34b_b79k"):
        with pytest.raises(ClipError):
            ClipTowers("ViT-B-32", tag, cache=str(tmp_path)).tokens([CUP])
    assert [one["force_quick_gelu"] for one in asked] == [True, False]
