"""COCO2017: 118,287 and 5,000 photographs (Lin et al., ECCV 2014), on which HIR-ALIGN makes CLIP robust to blur."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypedDict

import numpy as np
import torch
from lightning import LightningDataModule
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from datamodules.sampling.batches import EvaluationSampler
from datamodules.sampling.patches import epoch_batches, training_loader
from datamodules.scenes import generator_for
from datamodules.scenes.checks import check_folder
from datamodules.scenes.expected import listing
from hyperalign.errors import InputError, MissingFileError
from hyperalign.ranks import world

_WHERE = (
    "download train2017.zip (18 GB) and val2017.zip (1 GB) from http://images.cocodataset.org/zips, unpack them in one "
    "folder and set `root` to it"
)


class Photograph(TypedDict):
    """One photograph.

    Keys:
        image: `3 x side x side`, float32, [0, 1], red first.
        name: name of its file without the ending.
    """

    image: Tensor
    name: str


class Photographs(TypedDict):
    """A batch of photographs: `image` is `B x 3 x side x side`, `name` a list."""

    image: Tensor
    name: list[str]


class COCO2017(LightningDataModule):
    """The COCO photographs in their original layout, `<root>/train2017/*.jpg` and `<root>/val2017/*.jpg`.

    Training batches hold random square crops, mirrored half of the time and resized; validation batches the largest
    central square. Grey and four-colour files become RGB. The captions in `annotations` are not used and need not be
    there. A photograph of an epoch and its crop depend on `seed` and its number alone, not on workers or ranks.

    Args:
        root: folder of the data set.
        side: side in pixels that crops are resized to; 224 is what CLIP's towers take.
        smallest_crop: side of the smallest random crop as a share of the photograph's shorter side; 1 takes the
            largest square, at a random place.
        images_per_epoch: photographs in an epoch, over all ranks; None takes each once.
        batch_size: photographs in a batch, on each rank.
        num_workers: processes that decode; 0 decodes in the main process.
        seed: fixes the order and the crops.

    Raises:
        ValueError: for a number outside of its range.
    """

    def __init__(
        self,
        root: str,
        *,
        side: int = 224,
        smallest_crop: float = 0.5,
        images_per_epoch: int | None = None,
        batch_size: int = 32,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if min(side, batch_size, 1 if images_per_epoch is None else images_per_epoch) < 1 or num_workers < 0:
            raise InputError(
                f"A side of {side}, a batch size of {batch_size}, {images_per_epoch} images an epoch and {num_workers} "
                "workers are not possible: give at least 1, and 0 workers or more."
            )
        if not 0.0 < smallest_crop <= 1.0:
            raise InputError(f"The smallest crop is {smallest_crop} but must be a share in (0, 1].")
        self.root = Path(root)
        self.side = side
        self.smallest_crop = smallest_crop
        self.images_per_epoch = images_per_epoch
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.seed = seed

    def files(self, subset: Literal["train2017", "val2017"]) -> list[Path]:
        """Return the photographs of a subset, sorted by name.

        Raises:
            FileNotFoundError: one sentence, if they are not there.
        """
        root = check_folder(self.root, "the COCO2017 data set, train2017/*.jpg and val2017/*.jpg,", _WHERE)
        folder = root / subset
        found = sorted(folder.glob("[!.]*.jpg")) if folder.is_dir() else []
        if not found:
            raise MissingFileError(
                f"The folder {root} holds no photograph {subset}/*.jpg, but "
                f"{listing(folder if folder.is_dir() else root)}: {_WHERE}."
            )
        return found

    def training_batches(self, ranks: int) -> int:
        """Return the batches of an epoch on each of so many ranks, before there is a loader.

        Raises:
            FileNotFoundError: if the photographs are not there.
        """
        images = self.images_per_epoch or len(self.files("train2017"))
        return epoch_batches(images, self.batch_size, ranks)

    def train_dataloader(self) -> DataLoader[Photograph]:
        """Return the loader of random crops.

        Raises:
            FileNotFoundError: if the photographs are not there.
        """
        files = self.files("train2017")
        dataset = RandomCrops(files, self.side, self.smallest_crop, self.images_per_epoch or len(files), self.seed)
        return training_loader(dataset, self.batch_size, self.num_workers, self.trainer, _collate)

    def val_dataloader(self) -> DataLoader[Photograph]:
        """Return the loader of the central squares of the validation photographs.

        Raises:
            FileNotFoundError: if the photographs are not there.
        """
        dataset = CentralSquares(self.files("val2017"), self.side)
        sampler = EvaluationSampler(dataset, *world())
        return DataLoader(dataset, self.batch_size, sampler=sampler, num_workers=self.num_workers, collate_fn=_collate)


class CentralSquares(Dataset[Photograph]):
    """The largest central square of each photograph, resized.

    Args:
        files: the photographs.
        side: side in pixels.
    """

    def __init__(self, files: Sequence[Path], side: int) -> None:
        self.files = tuple(files)
        self.side = side

    def __len__(self) -> int:
        """Return the number of photographs."""
        return len(self.files)

    def __getitem__(self, index: int) -> Photograph:
        """Return one photograph.

        Raises:
            ValueError: if its file is damaged.
        """
        image = read_rgb(self.files[index])
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        return _photograph(self.files[index], image, (left, top, left + side, top + side), self.side, mirror=False)


class RandomCrops(Dataset[Photograph]):
    """Random square crops; number n is that photograph and that crop whoever asks, over all epochs.

    Each epoch shuffles the photographs anew; an epoch of more photographs than there are goes round again.

    Args:
        files: the photographs.
        side: side in pixels.
        smallest_crop: side of the smallest crop as a share of the shorter side.
        length: photographs in an epoch.
        seed: seed of the run.
    """

    def __init__(self, files: Sequence[Path], side: int, smallest_crop: float, length: int, seed: int) -> None:
        self.files = tuple(files)
        self.side = side
        self.smallest_crop = smallest_crop
        self.length = length
        self.seed = seed

    def __len__(self) -> int:
        """Return the photographs in an epoch."""
        return self.length

    def __getitem__(self, number: int) -> Photograph:
        """Return photograph `number`, counted over all epochs.

        Raises:
            ValueError: if its file is damaged.
        """
        turn, position = divmod(number, len(self.files))
        path = self.files[_order(len(self.files), self.seed, turn)[position]]
        image, generator = read_rgb(path), generator_for(self.seed, "photograph", number)
        share, across, down, mirror = torch.rand(4, generator=generator).tolist()
        side = max(1, round(min(image.size) * (self.smallest_crop + (1.0 - self.smallest_crop) * share)))
        left, top = (int(place * (length - side + 1)) for place, length in zip((across, down), image.size, strict=True))
        return _photograph(path, image, (left, top, left + side, top + side), self.side, mirror=mirror < 0.5)


def read_rgb(path: Path) -> Image.Image:
    """Read a photograph as RGB, whatever it is stored as.

    Raises:
        ValueError: one sentence, if the file is damaged.
        FileNotFoundError: if it is gone.
    """
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(
            f"The photograph {path} of {path.stat().st_size} bytes is truncated or damaged: unpack it again, or remove "
            "it."
        ) from error


def _photograph(
    path: Path, image: Image.Image, box: tuple[int, int, int, int], side: int, *, mirror: bool
) -> Photograph:
    part = image.resize((side, side), Image.Resampling.BICUBIC, box=box)
    pixels = np.asarray(part, dtype=np.float32).transpose(2, 0, 1) / np.float32(255.0)
    return Photograph(
        image=torch.from_numpy(np.ascontiguousarray(pixels[..., ::-1] if mirror else pixels)), name=path.stem
    )


def _collate(samples: Sequence[Photograph]) -> Photographs:
    images = torch.stack([sample["image"] for sample in samples])
    return Photographs(image=images, name=[sample["name"] for sample in samples])


@lru_cache(maxsize=4)
def _order(count: int, seed: int, turn: int) -> tuple[int, ...]:
    """The photographs' order in one turn through all of them."""
    return tuple(torch.randperm(count, generator=generator_for(seed, "order", turn)).tolist())
