"""Which weights a folder holds."""

from __future__ import annotations

import shutil
from pathlib import Path

from callbacks.guides.unclip_identity import BLOCK, SAMPLED, folder_digest
from callbacks.guides.unclip_parts import Weights
from tests.callbacks.guides.tiny_unclip import tiny_encoder


def test_the_identity_follows_the_weights_and_not_their_place(checkpoint: str, tmp_path: Path) -> None:
    first = Weights(checkpoint).settings()
    shutil.copytree(checkpoint, tmp_path / "moved")
    moved = Weights(str(tmp_path / "moved"))
    assert moved.settings() == first
    file = tmp_path / "moved" / "unet" / "diffusion_pytorch_model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert moved.settings() != first
    assert Weights("some/id", revision="a").settings() != Weights("some/id", revision="b").settings()
    tiny_encoder(seed=5).save_pretrained(tmp_path / "robust")
    assert Weights(checkpoint, str(tmp_path / "robust")).settings() != first


def test_large_files_are_sampled_to_their_end(tmp_path: Path) -> None:
    size = 3 * BLOCK * SAMPLED
    with (tmp_path / "large").open("wb") as file:
        file.truncate(size)
    first = folder_digest(tmp_path)
    for place, changes in ((0, True), (size - 1, True), (BLOCK + 1, False)):
        with (tmp_path / "large").open("r+b") as file:
            file.seek(place)
            file.write(b"\1")
        assert (folder_digest(tmp_path) != first) is changes
        with (tmp_path / "large").open("r+b") as file:
            file.seek(place)
            file.write(b"\0")


def test_small_files_count_by_every_byte_name_and_place(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder / "unet").mkdir(parents=True)
        (tmp_path / folder / "index.json").write_text("{}")
        (tmp_path / folder / "unet" / "weights").write_bytes(b"abc")
    one, two = tmp_path / "one", tmp_path / "two"
    first = folder_digest(one, ["unet"])
    assert first == folder_digest(two, ["unet"])
    (two / "README.md").write_text("not a part")
    (two / "unet" / ".cache").write_text("hidden")
    assert folder_digest(two, ["unet", "missing"]) == first
    (two / "index.json").write_text("[]")
    assert folder_digest(two, ["unet"]) != first
    (two / "index.json").write_text("{}")
    (two / "unet" / "weights").rename(two / "unet" / "other")
    assert folder_digest(two, ["unet"]) != first
