"""Training patches: each is a pure function of its number, whoever draws it."""

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import torch
from lightning import Trainer
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from datamodules.degradations import Degradation
from datamodules.sampling.batches import Sample
from datamodules.sampling.full_scenes import observed
from datamodules.sampling.relighting import Relighting
from datamodules.scenes import MappedScene, Scene, generator_for
from hyperalign.captions import Window, caption_of
from hyperalign.errors import InputError
from hyperalign.ranks import world


class TrainingScenes:
    """The scenes that patches are drawn from now; they may be exchanged between epochs while loaders stay."""

    def __init__(self) -> None:
        self._scenes: tuple[MappedScene, ...] = ()
        self._cumulative = torch.zeros(0, dtype=torch.float64)

    def __len__(self) -> int:
        """Return the number of scenes."""
        return len(self._scenes)

    def exchange(self, scenes: Sequence[MappedScene], weights: Sequence[float] | None = None) -> None:
        """Take these scenes instead of the present ones.

        Args:
            scenes: at least one; all with the same wavelengths.
            weights: how often each is drawn, relative to the others; None draws all equally often.

        Raises:
            ValueError: for no scenes, different wavelengths, or weights that are negative, not finite, all zero or
                not as many as the scenes.
        """
        if not scenes:
            raise InputError("There is no scene to train on: give at least one.")
        for scene in scenes:
            if scene.wavelengths != scenes[0].wavelengths:
                raise InputError(
                    f"The training scenes {scenes[0].name!r} and {scene.name!r} differ in their wavelengths: "
                    "train on scenes of one sensor."
                )
        shares = torch.tensor([1.0] * len(scenes) if weights is None else list(weights), dtype=torch.float64)
        if len(shares) != len(scenes) or not shares.isfinite().all() or (shares < 0).any() or shares.sum() <= 0:
            raise InputError(
                f"The weights of the {len(scenes)} training scenes are {shares.tolist()}: "
                "give one finite number of at least 0 per scene, not all 0."
            )
        self._scenes = tuple(scenes)
        self._cumulative = (shares / shares.sum()).cumsum(0)

    def find(self, name: str) -> MappedScene:
        """Return the scene of a name.

        Raises:
            ValueError: if no present scene has it.
        """
        for scene in self._scenes:
            if scene.name == name:
                return scene
        raise InputError(f"The scene {name!r} is not among those trained on now: take names from their batches.")

    def draw(self, generator: torch.Generator) -> MappedScene:
        """Return one scene, drawn by weight."""
        position = torch.rand((), generator=generator, dtype=torch.float64)
        # Rounding may leave the last sum a little below 1, hence the clamp, to the last scene with any weight.
        last = int(torch.searchsorted(self._cumulative, self._cumulative[-1]))
        return self._scenes[min(int(torch.searchsorted(self._cumulative, position, right=True)), last)]


class PatchDataset(Dataset[Sample]):
    """Random patches with flips and quarter turns, degraded afterwards.

    Patch number n is drawn with `generator_for(seed, "patch", n)`, relit with `generator_for(seed, "relighting", n)`
    and degraded with `generator_for(seed, "train", n)`, so it does not depend on ranks, workers or order. It reads one
    window from the memory-mapped cube.

    Args:
        scenes: what patches are drawn from, looked up anew at every patch.
        degradation: makes the observation from the clean patch.
        patch_size: side of the clean patch in pixels; a multiple of the degradation's scale.
        length: patches in an epoch.
        seed: seed of the run.
        relighting: puts clean patches under other lights; None leaves them as they are.
        pool: how many different patches there are, after which they come again with the same noise; None has no end.

    Raises:
        ValueError: if the patch size is not a positive multiple of the scale, or the length or the pool is below 1.
    """

    def __init__(
        self,
        scenes: TrainingScenes,
        degradation: Degradation,
        patch_size: int,
        length: int,
        seed: int,
        relighting: Relighting | None = None,
        pool: int | None = None,
    ) -> None:
        if patch_size < 1 or patch_size % degradation.scale:
            raise InputError(
                f"The patch size {patch_size} is not a positive multiple of the degradation's scale "
                f"{degradation.scale}: choose one that is."
            )
        if length < 1:
            raise InputError(f"An epoch of {length} patches is empty: give `patches_per_epoch` at least 1.")
        if pool is not None and pool < 1:
            raise InputError(f"A pool of {pool} patches is empty: give `patch_pool` at least 1, or leave it out.")
        self.scenes = scenes
        self.degradation = degradation
        self.patch_size = patch_size
        self.length = length
        self.seed = seed
        self.relighting = relighting
        self.pool = pool

    def __len__(self) -> int:
        """Return the patches in an epoch."""
        return self.length

    def __getitem__(self, number: int) -> Sample:
        """Return patch `number`, counted over all epochs.

        Raises:
            ValueError: if a scene is smaller than the patch, or is to be relit although its observation was measured.
        """
        number = number if self.pool is None else number % self.pool
        generator = generator_for(self.seed, "patch", number)
        scene = self.scenes.draw(generator)
        size = self.patch_size
        _, height, width = scene.shape
        if min(height, width) < size:
            raise InputError(
                f"The training scene {scene.name!r} of {height} x {width} pixels is smaller than a patch of "
                f"{size} x {size}: reduce `patch_size` or enlarge `crop`."
            )
        row = int(torch.randint(height - size + 1, (), generator=generator))
        column = int(torch.randint(width - size + 1, (), generator=generator))
        which = int(torch.randint(8, (), generator=generator))
        target = _turn(scene.window(row, column, size, size), which)
        # What was measured beside the scene lies on the same grid and is cut and turned alike.
        measured = {
            kind: _turn(image.window(row, column, size, size), which) for kind, image in scene.measured().items()
        }
        if self.relighting is not None:
            check_relightable(scene.name, measured)
            target = self.relighting(target, scene.wavelengths, generator_for(self.seed, "relighting", number))
        caption = caption_of(scene.caption, Window(row, column, size, size))
        clean = Scene(scene.name, target, scene.wavelengths, caption)
        return observed(clean, self.degradation, generator_for(self.seed, "train", number), measured)


def check_relightable(name: str, measured: Collection[str]) -> None:
    """Refuse to relight a scene beside which something was measured, under the light as it was.

    Args:
        name: of the scene.
        measured: what was measured, by its key in a batch.

    Raises:
        InputError: naming it.
    """
    if measured:
        raise InputError(
            f"The scene {name!r} cannot be relit: its {' and '.join(sorted(measured))} image was measured under the "
            "light as it was; leave data.init_args.relighting out."
        )


def _turn(patch: Tensor, which: int) -> Tensor:
    """Apply one of the eight symmetries of the square: a mirror image or not, then 0 to 3 quarter turns."""
    mirrored = patch.flip(-1) if which >= 4 else patch
    return torch.rot90(mirrored, which % 4, (-2, -1)).contiguous()


class PatchSampler(DistributedSampler[Any]):
    """Numbers the patches over all epochs and deals them to the ranks like cards.

    In epoch e rank r of R takes the numbers e L + r, e L + r + R, ... of an epoch of L patches, so that step s of all
    ranks together sees the same patches as step s of one process with a batch R times as large. If R does not divide
    L, the first numbers of the epoch are dealt again, as every rank must make the same number of steps. It is a
    `DistributedSampler`, so Lightning leaves it in place and tells it the epoch.

    Args:
        dataset: the patches, or anything else whose samples are numbered over all epochs.
        replicas: number of ranks.
        rank: this rank.
    """

    def __init__(self, dataset: Dataset[Any], replicas: int = 1, rank: int = 0) -> None:
        super().__init__(dataset, num_replicas=replicas, rank=rank, shuffle=False)
        self.length = len(dataset)  # type: ignore[arg-type]
        self._resumed = (0, 0)

    def resume(self, epoch: int, done: int) -> None:
        """Go on in the middle of an epoch.

        Args:
            epoch: the epoch.
            done: how many of this rank's patches of that epoch were trained on already.
        """
        self.set_epoch(epoch)
        self._resumed = (epoch, done)

    def __iter__(self) -> Iterator[int]:
        """Iterate over this rank's patch numbers in the present epoch, from where it was resumed."""
        start = self.epoch * self.length
        resumed, done = self._resumed
        for step in range(done if self.epoch == resumed else 0, self.num_samples):
            yield start + (self.rank + step * self.num_replicas) % self.length


def epoch_batches(samples: int, batch_size: int, ranks: int) -> int:
    """Return the batches of an epoch on each of so many ranks, before there is a loader.

    Args:
        samples: of an epoch, over all ranks.
        batch_size: samples in a batch, on each rank.
        ranks: number of ranks.
    """
    return math.ceil(math.ceil(samples / ranks) / batch_size)


def training_loader(
    dataset: Dataset[Any],
    batch_size: int,
    num_workers: int,
    trainer: Trainer | None,
    collate_fn: Callable[[list[Any]], Any],
) -> DataLoader[Any]:
    """Return the loader of numbered samples, shared among the ranks, which goes on where a resumed fit stopped.

    Args:
        dataset: its samples are numbered over all epochs.
        batch_size: samples in a batch, on each rank.
        num_workers: processes that load; 0 loads in the main process.
        trainer: of the fit; None outside of one.
        collate_fn: makes a batch of samples.
    """
    sampler = PatchSampler(dataset, *world())
    if trainer is not None:
        sampler.resume(*resumed(trainer, batch_size))
    return DataLoader(dataset, batch_size, sampler=sampler, num_workers=num_workers, collate_fn=collate_fn)


def resumed(trainer: Trainer, batch_size: int) -> tuple[int, int]:
    """Return the epoch that a fit is in, and how many of this rank's samples of it were trained on already.

    A resumed fit starts its workers before Lightning tells the sampler the epoch; and of an unfinished epoch Lightning
    counts the batches on, but leaves it to the loader to skip those trained on already.

    Args:
        trainer: the trainer of the fit.
        batch_size: samples in a batch, on each rank.
    """
    loop = trainer.fit_loop
    epoch, batches = loop.epoch_progress.current, loop.epoch_loop.batch_progress
    processed: int = epoch.processed  # type: ignore[attr-defined]  # typed as its base class
    if batches.is_last_batch:
        return processed + int(epoch.ready > processed), 0
    done: int = batches.current.processed * batch_size  # type: ignore[attr-defined]
    return processed, done
