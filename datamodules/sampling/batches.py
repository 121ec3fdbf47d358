"""The one shape of a batch, and how the ranks share the samples."""

from collections.abc import Iterator, Sequence
from typing import Any, NotRequired, TypedDict

import torch
from torch import Tensor
from torch.utils.data import Dataset, DistributedSampler

from hyperalign.errors import InputError


class Sample(TypedDict):
    """One pair, or for prediction one observation.

    Keys:
        observation: `C x h x w`, degraded, not clipped.
        target: `C x H x W`, clean, [0, 1]; absent for prediction.
        multispectral: `c x H x W`, what a second sensor sees; absent for tasks with one sensor.
        caption: what is seen in the whole scene, or empty.
        name: name of the scene.
        wavelengths: band centres in nm.
        phase: where an observation's pixel lies in its block of target pixels (see `Degradation.phase`); absent where
            both have one size.
        task: number of the task, where several are drawn from.
        missing: `H x W`, where nothing was measured on the finest grid, and values are filled; absent where all were.
    """

    observation: Tensor
    target: NotRequired[Tensor]
    multispectral: NotRequired[Tensor]
    caption: str
    name: str
    wavelengths: tuple[float, ...]
    phase: NotRequired[float]
    task: NotRequired[int]
    missing: NotRequired[Tensor]


class Batch(TypedDict):
    """Several pairs: tensors have a leading batch axis, name and caption are lists, the rest is common to all.

    The numbers of the tasks are a tensor `B`.
    """

    observation: Tensor
    target: NotRequired[Tensor]
    multispectral: NotRequired[Tensor]
    caption: list[str]
    name: list[str]
    wavelengths: tuple[float, ...]
    phase: NotRequired[float]
    task: NotRequired[Tensor]
    missing: NotRequired[Tensor]


def collate(samples: Sequence[Sample]) -> Batch:
    """Stack samples into a batch.

    Raises:
        ValueError: if the samples differ in wavelengths or size.
    """
    names = [sample["name"] for sample in samples]
    wavelengths = samples[0]["wavelengths"]
    if any(sample["wavelengths"] != wavelengths for sample in samples):
        raise InputError(
            f"The scenes {', '.join(dict.fromkeys(names))} differ in their wavelengths and cannot share a batch: "
            "use scenes of one sensor."
        )
    observations = [sample["observation"] for sample in samples]
    if len({tuple(observation.shape) for observation in observations}) > 1:
        raise InputError(
            f"The scenes {', '.join(dict.fromkeys(names))} differ in size and cannot share a batch: "
            "use a batch size of 1, or a crop."
        )
    captions = [sample["caption"] for sample in samples]
    batch = Batch(observation=torch.stack(observations), caption=captions, name=names, wavelengths=wavelengths)
    phases = {sample["phase"] for sample in samples if "phase" in sample}
    if len(phases) > 1:
        raise InputError(
            f"The scenes {', '.join(dict.fromkeys(names))} are sampled at different phases and cannot share a batch: "
            "use one degradation, or a batch size of 1."
        )
    if phases:
        batch["phase"] = phases.pop()
    tasks = [sample["task"] for sample in samples if "task" in sample]
    if len(tasks) == len(samples):
        batch["task"] = torch.tensor(tasks)
    if all("target" in sample for sample in samples):
        batch["target"] = torch.stack([sample["target"] for sample in samples])
    if all("multispectral" in sample for sample in samples):
        batch["multispectral"] = torch.stack([sample["multispectral"] for sample in samples])
    if all("missing" in sample for sample in samples):
        batch["missing"] = torch.stack([sample["missing"] for sample in samples])
    return batch


class EvaluationSampler(DistributedSampler[Any]):
    """Shares scenes among ranks so that the mean over scenes is that of a single process.

    torch's own sampler repeats scenes until they divide evenly, which changes the mean. Here rank r of R takes scenes
    r, r + R, ... and no scene twice; with fewer scenes than ranks every rank takes all of them, because a rank
    without any would leave the others waiting in the collective operations.

    Args:
        dataset: the scenes.
        replicas: number of ranks.
        rank: this rank.
    """

    def __init__(self, dataset: Dataset[Any], replicas: int = 1, rank: int = 0) -> None:
        super().__init__(dataset, num_replicas=replicas, rank=rank, shuffle=False)
        count = len(dataset)  # type: ignore[arg-type]
        self._share = range(count) if count < replicas else range(rank, count, replicas)

    def __iter__(self) -> Iterator[int]:
        """Iterate over the indices of this rank's scenes."""
        return iter(self._share)

    def __len__(self) -> int:
        """Return how many scenes this rank takes."""
        return len(self._share)
