"""COCO2017 in its true layout: files made here, and the real photographs."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules import COCO2017
from datamodules.coco2017 import RandomCrops, read_rgb


def _photograph(path: Path, mode: str = "RGB", size: tuple[int, int] = (40, 30)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = size
    ramp = np.linspace(0, 255, width * height).reshape(height, width).astype(np.uint8)
    grey = Image.fromarray(ramp)
    (grey if mode == "L" else Image.merge(mode, [grey] * len(mode))).save(path, quality=95)
    return path


def _root(tmp_path: Path) -> Path:
    for number in range(5):
        _photograph(tmp_path / "COCO" / "train2017" / f"{number:012d}.jpg", ("RGB", "L", "CMYK")[number % 3])
    _photograph(tmp_path / "COCO" / "val2017" / "000000000009.jpg")
    (tmp_path / "COCO" / "train2017" / "._000000000000.jpg").write_bytes(b"of a Macintosh")
    return tmp_path / "COCO"


def test_every_kind_of_file_becomes_a_square_rgb_crop(tmp_path: Path) -> None:
    data = COCO2017(str(_root(tmp_path)), side=16, batch_size=5)
    (batch,) = data.train_dataloader()
    assert sorted(batch["name"]) == [f"{number:012d}" for number in range(5)]
    assert batch["image"].shape == (5, 3, 16, 16)
    assert batch["image"].dtype == torch.float32
    assert 0 <= float(batch["image"].min()) < float(batch["image"].max()) <= 1
    grey = batch["image"][batch["name"].index("000000000001")]
    assert torch.equal(grey[0], grey[1])
    assert torch.equal(grey[0], grey[2])


def test_crops_depend_on_their_number_and_the_seed_alone(tmp_path: Path) -> None:
    root = _root(tmp_path)
    one, other = (list(COCO2017(str(root), side=8, batch_size=2, num_workers=n).train_dataloader()) for n in (0, 1))
    assert [batch["name"] for batch in one] == [batch["name"] for batch in other]
    assert all(torch.equal(first["image"], second["image"]) for first, second in zip(one, other, strict=True))
    files = COCO2017(str(root)).files("train2017")
    crops = RandomCrops(files, 8, 0.5, 5, seed=0)
    assert [crops[number]["name"] for number in range(5)] == [name for batch in one for name in batch["name"]]
    second_epoch = [crops[number]["name"] for number in range(5, 10)]
    assert sorted(second_epoch) == sorted(path.stem for path in files)
    assert second_epoch != [crops[number]["name"] for number in range(5)]
    assert not torch.equal(crops[0]["image"], RandomCrops(files, 8, 0.5, 5, seed=1)[0]["image"])
    assert len(COCO2017(str(root), images_per_epoch=12, batch_size=4).train_dataloader()) == 3


def test_validation_takes_the_central_square(tmp_path: Path) -> None:
    root = _root(tmp_path)
    (batch,) = COCO2017(str(root), side=30).val_dataloader()
    with Image.open(root / "val2017" / "000000000009.jpg") as image:
        pixels = np.asarray(image, np.float32)[:, 5:35].transpose(2, 0, 1) / 255
    assert batch["name"] == ["000000000009"]
    assert np.abs(batch["image"][0].numpy() - pixels).max() < 1e-6


def test_the_real_photographs(shared: Path) -> None:
    data = COCO2017(str(shared / "data" / "COCO2017"), side=32, batch_size=16)
    assert (len(data.files("train2017")), len(data.files("val2017"))) == (26, 21)
    for loader, count in ((data.train_dataloader(), 26), (data.val_dataloader(), 21)):
        batches = list(loader)
        names = [name for batch in batches for name in batch["name"]]
        images = torch.cat([batch["image"] for batch in batches])
        assert len(set(names)) == count
        assert images.shape == (count, 3, 32, 32)
        assert float(images.flatten(1).std(1).min()) > 0.01
    grey = next(path for path in data.files("val2017") if path.stem == "000000205401")
    pixels = np.asarray(read_rgb(grey))
    assert (pixels == pixels[..., :1]).all()


def test_bad_input(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no folder .*absent, where the COCO2017 data set, train2017/\*\.jpg"):
        COCO2017(str(tmp_path / "absent")).files("train2017")
    (tmp_path / "train2017.zip").touch()
    with pytest.raises(FileNotFoundError, match=r"no photograph train2017/\*\.jpg, but train2017\.zip: download"):
        COCO2017(str(tmp_path)).train_dataloader()
    path = _photograph(tmp_path / "val2017" / "000000000001.jpg")
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ValueError, match=r"000000000001\.jpg of 300 bytes is truncated or damaged: unpack it again"):
        list(COCO2017(str(tmp_path)).val_dataloader())
    with pytest.raises(ValueError, match="smallest crop is 0 but must be a share in"):
        COCO2017("x", smallest_crop=0)
    with pytest.raises(ValueError, match=r"A side of 0, .* are not possible: give at least 1"):
        COCO2017("x", side=0)
