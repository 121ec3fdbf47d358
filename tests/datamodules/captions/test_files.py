"""Caption files: the packaged one, a user's own, and what is wrong with bad ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from datamodules import CAVE
from datamodules.captions import CaptionError, load_captions, write_captions
from datamodules.captions.files import FOLDER
from datamodules.splits.files import CAVE_SPLITS
from hyperalign.captions import RegionCaption, Window, caption_of
from tests.datamodules.fake_cave import fake_values, write_scene


def test_every_cave_scene_has_a_caption_that_fits_clip() -> None:
    captions = load_captions("cave", "CAVE")
    assert sorted(captions) == sorted({name for split in CAVE_SPLITS["hsir"] for name in split})
    assert len(set(captions.values())) == 32
    # CLIP reads 77 tokens; English takes about 1.3 a word.
    assert all(8 <= len(caption.split()) <= 45 for caption in captions.values())


def test_scenes_carry_their_captions_into_batches(tmp_path: Path) -> None:
    for name in ("balloons", "cloth"):
        write_scene(tmp_path / "cave" / f"{name}_ms", name, fake_values(name, 16))
    data = CAVE(str(tmp_path / "cave"), training=["balloons"], validation=["cloth"], cache=str(tmp_path / "cache"))
    assert next(iter(data.test_dataloader()[0]))["caption"] == [load_captions("cave", "CAVE")["cloth"]]
    write_captions(tmp_path / "mine.json", "CAVE", {"cloth": "a cloth"})
    mine = CAVE(
        str(tmp_path / "cave"),
        training=["balloons"],
        validation=["cloth"],
        cache=str(tmp_path / "cache"),
        captions=str(tmp_path / "mine.json"),
    )
    assert next(iter(mine.test_dataloader()[0]))["caption"] == ["a cloth"]
    assert mine.scenes(["balloons"])[0].caption == ""


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_captions(tmp_path / "new" / "harvard.json", "Harvard", {"img1": " a house ", "img2": "a tree"}, ["img2"])
    assert load_captions(str(tmp_path / "new" / "harvard.json"), "Harvard") == {"img1": "a house", "img2": "a tree"}
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["harvard.json"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is malformed in line 1, column 2; expected"),
        ("[]", "is malformed"),
        ('{"captions": {"a": "b"}}', "is malformed"),
        ('{"data_set": "CAVE", "captions": ["a"]}', "is malformed"),
        (
            '{"data_set": "Harvard", "captions": {"a": "b"}}',
            "is for Harvard but the data set is CAVE: give one of its own, or write",
        ),
        ('{"data_set": "CAVE", "captions": {"a": " "}}', r"The caption of a in .* is empty; write what is seen"),
    ],
)
def test_bad_files_are_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(CaptionError, match=message):
        load_captions(str(tmp_path / "bad.json"), "CAVE")


def test_a_missing_file_is_one_sentence() -> None:
    with pytest.raises(FileNotFoundError, match=r"no caption file none.json; choose cave, cave_regions, give the path"):
        load_captions("none.json", "CAVE")


REGIONS = {"caption": "fruit", "regions": [{"box": [0, 0, 8, 8], "text": "an apple"}]}


def test_regions_are_read_written_and_reach_patches(tmp_path: Path) -> None:
    """Fault: a patch of a corner was told what lies in all the others."""
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"data_set": "CAVE", "captions": {"balloons": REGIONS, "cloth": "a cloth"}}))
    captions = load_captions(str(path), "CAVE")
    assert captions == {"balloons": "fruit", "cloth": "a cloth"}
    write_captions(tmp_path / "again.json", "CAVE", captions)
    assert json.loads((tmp_path / "again.json").read_text())["captions"] == {"balloons": REGIONS, "cloth": "a cloth"}
    for name in ("balloons", "cloth"):
        write_scene(tmp_path / "cave" / f"{name}_ms", name, fake_values(name, 16))
    settings: dict[str, Any] = {
        "training": ["balloons"],
        "validation": ["cloth"],
        "captions": str(path),
        "cache": str(tmp_path / "cache"),
    }
    data = CAVE(str(tmp_path / "cave"), patch_size=6, patches_per_epoch=40, batch_size=40, **settings)
    told = next(iter(data.train_dataloader()))["caption"]
    assert set(told) == {"fruit", "an apple"}
    with pytest.raises(CaptionError, match=r"has regions, which lie in the whole scene: leave data\.crop out"):
        CAVE(str(tmp_path / "cave"), crop=8, **settings).scenes(["balloons"])


def test_a_region_beside_its_scene_is_one_sentence_and_one_that_reaches_out_is_not(tmp_path: Path) -> None:
    write_scene(tmp_path / "cave" / "cloth_ms", "cloth", fake_values("cloth", 16))
    for box, wrong in (([8, 8, 20, 20], False), ([16, 0, 8, 8], True), ([0, 16, 8, 8], True)):
        told = {"caption": "a cloth", "regions": [{"box": box, "text": "a fold"}]}
        (tmp_path / "mine.json").write_text(json.dumps({"data_set": "CAVE", "captions": {"cloth": told}}))
        data = CAVE(str(tmp_path / "cave"), captions=str(tmp_path / "mine.json"), cache=str(tmp_path / "cache"))
        if not wrong:
            assert data.scenes(["cloth"])[0].caption == "a cloth"
            continue
        with pytest.raises(
            CaptionError, match=r"of the caption of cloth \(a fold\) lies outside of its 16 x 16 pixels"
        ):
            data.scenes(["cloth"])


@pytest.mark.parametrize(
    "regions",
    [
        {"caption": "x"},
        {"caption": "x", "regions": [{"box": [0, 0, 0, 8], "text": "y"}]},
        {"caption": "x", "regions": [{"box": [0, 0, 8], "text": "y"}]},
        {"caption": "x", "regions": [{"box": [0, -1, 8, 8], "text": "y"}]},
        {"caption": "x", "regions": [{"box": [0, 0, 8, 8], "text": " "}]},
        {"caption": "x", "regions": 3},
        {"caption": "x", "regions": [{"box": [0, 0.5, 8, 8], "text": "y"}]},
        {"caption": "x", "regions": [{"box": [True, 0, 8, 8], "text": "y"}]},
        {"caption": "x", "regions": [{"box": ["0", "0", "8", "8"], "text": "y"}]},
    ],
)
def test_bad_regions_are_one_sentence(regions: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text(json.dumps({"data_set": "CAVE", "captions": {"balloons": regions}}))
    with pytest.raises(CaptionError, match=r'The caption of balloons in .*bad\.json is malformed; .*"regions"'):
        load_captions(str(tmp_path / "bad.json"), "CAVE")


def test_the_scenes_that_were_looked_at_have_regions_that_lie_in_them() -> None:
    plain, told = load_captions("cave", "CAVE"), load_captions("cave_regions", "CAVE")
    assert plain == told
    regions = {name: caption.regions for name, caption in told.items() if isinstance(caption, RegionCaption)}
    unreviewed = json.loads((FOLDER / "cave.json").read_text(encoding="utf-8"))["unreviewed"]
    assert sorted({*plain} - {*regions}) == unreviewed
    whole = Window(0, 0, 512, 512)
    boxes = [region.box for found in regions.values() for region in found]
    assert all(box.shared(whole) == box.height * box.width for box in boxes)
    assert caption_of(told["feathers"], Window(200, 360, 32, 32)) == "A red feather on dark cloth."
