"""No clean target cube can be reached from a training batch, its loader or its dataset."""

import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader

from datamodules import CAVE, MappedScene
from datamodules.sampling.batches import Sample
from tests.datamodules.fake_cave import MakeCave

OBSERVED, UNOBSERVED = ["balloons", "cd"], ["clay"]
_opened: list[Path] | None = None


def _note_opened(event: str, arguments: tuple[object, ...]) -> None:
    """Every file that this process opens by whatever library passes here."""
    if event == "open" and _opened is not None and isinstance(arguments[0], str | bytes):
        name = arguments[0]
        _opened.append(Path(name.decode() if isinstance(name, bytes) else name).resolve())


sys.addaudithook(_note_opened)


def _reachable(start: object) -> Iterator[object]:
    """Every object that can be reached over attributes, items, closures and bound methods."""
    seen: dict[int, object] = {}
    waiting = [start]
    while waiting:
        item = waiting.pop()
        if id(item) in seen or isinstance(item, type | str | bytes | int | float | Tensor | Path):
            if not isinstance(item, type):
                yield item
            continue
        seen[id(item)] = item
        yield item
        if isinstance(item, Mapping):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, list | tuple | set | frozenset):
            waiting += list(item)
        for attribute in ("__dict__", "__self__", "__closure__", "__defaults__", "cell_contents", "func", "args"):
            try:
                waiting.append(getattr(item, attribute, None))
            except ValueError:
                continue


def _clean_files(start: object, places: list[Path]) -> set[str]:
    """Paths (or text that holds one) below the places where clean cubes lie."""
    texts = (str(item) for item in _reachable(start) if isinstance(item, str | Path))
    return {text for text in texts if any(str(place) in text for place in places)}


class _World:
    """A target data module that trains on one proxy, and where its clean cubes lie."""

    def __init__(self, root: Path, folder: Path, workers: int = 0) -> None:
        self.data = CAVE(
            str(root),
            split="all",
            role="target",
            observed=OBSERVED,
            unobserved=UNOBSERVED,
            cache=str(folder / "cache"),
            patch_size=8,
            patches_per_epoch=12,
            num_workers=workers,
        )
        self.data.prepare_data()
        self.places = [root, folder / "cache" / "clean"]
        self.proxy = folder / "store" / "proxy.npy"
        self.proxy.parent.mkdir()
        np.save(self.proxy, np.full((31, 12, 12), 0.5, np.float32))
        self.data.use_training_scenes([MappedScene("balloons", self.proxy, self.data.wavelengths)])

    def loader(self) -> DataLoader[Sample]:
        return self.data.train_dataloader()


@pytest.fixture
def scenery(make_cave: MakeCave, tmp_path: Path) -> _World:
    return _World(make_cave(OBSERVED + UNOBSERVED), tmp_path)


def test_no_object_of_the_train_loader_knows_a_clean_file(scenery: _World) -> None:
    loader = scenery.loader()
    batch = next(iter(loader))
    for start in (loader, loader.dataset, batch):
        assert _clean_files(start, scenery.places) == set()
        assert not [item for item in _reachable(start) if isinstance(item, LightningDataModule)]
    assert _clean_files(loader, [scenery.proxy.parent]) == {str(scenery.proxy)}


def test_the_walk_would_find_one(scenery: _World) -> None:
    """The proof above is worth something only if the same walk finds clean cubes where they are."""
    for loader in scenery.data.test_dataloader():
        assert _clean_files(loader, scenery.places)
    source = CAVE(str(scenery.places[0]), split="all", cache=str(scenery.places[1].parent), patch_size=8)
    assert _clean_files(source.train_dataloader(), scenery.places)
    assert _clean_files(scenery.data, scenery.places)


def test_training_opens_no_clean_file(scenery: _World) -> None:
    global _opened
    _opened = []
    try:
        assert len(list(scenery.loader())) == 2
        trained, _opened = _opened, []
        for loader in scenery.data.test_dataloader():
            list(loader)
        tested = _opened
    finally:
        _opened = None
    clean = scenery.places[1].resolve()
    assert scenery.proxy.resolve() in trained
    assert not [path for path in trained if path.is_relative_to(clean)]
    assert len({path for path in tested if path.is_relative_to(clean) and path.suffix == ".npy"}) == 3


@pytest.mark.parametrize("workers", [0, 1])
def test_training_goes_on_when_every_clean_file_is_gone(make_cave: MakeCave, tmp_path: Path, workers: int) -> None:
    scenery = _World(make_cave(OBSERVED + UNOBSERVED), tmp_path, workers)
    for place in scenery.places:
        shutil.rmtree(place)
    (batch, _) = scenery.loader()
    assert batch["target"].unique().tolist() == [0.5]
    assert batch["target"].shape == (8, 31, 8, 8)
