"""Validation, test and prediction, the same for every module that restores, with weights or without."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol, TypedDict, runtime_checkable

import torch
from lightning import LightningModule
from torch import Tensor
from torchmetrics import MetricCollection

from hyperalign.errors import InputError
from hyperalign.ranks import all_gathered
from hyperalign.trainers import datamodule_of
from lightning_modules.metrics import MetricProtocol, given_scores, latest_scores
from lightning_modules.metrics.memory import give_back_freed
from lightning_modules.metrics.no_reference import NoReference, no_reference
from lightning_modules.restorer import FILE_TILE, Restorer
from lightning_modules.restorer.tiles import check_tile

__all__ = ["EvaluationModule", "RestoredScenes", "Tested", "test_set_name"]


@dataclass(frozen=True)
class RestoredScenes:
    """A restored batch with its scores.

    Attributes:
        restored: `B x C x H x W`.
        scores: one mapping of metric to value per scene.
    """

    restored: Tensor
    scores: list[dict[str, float]]


class Tested(TypedDict):
    """What a test step gives to the callbacks.

    Keys:
        restored: the restored cubes, `B x C x H x W`.
        scores: one mapping of metric to value per scene; without a target those of `NoReference` for pairs, none else.
        source_only: restores and scores the batch with the source weights when it is first called, and gives the same
            afterwards, so that a table and pictures share it; None for what has no source.
    """

    restored: Tensor
    scores: list[dict[str, float]]
    source_only: Callable[[], RestoredScenes] | None


@runtime_checkable
class _NamedTestSets(Protocol):
    """Data that name their test sets."""

    @property
    def test_set_names(self) -> list[str]: ...


def test_set_name(data: object, index: int) -> str:
    """Return the name of a test loader as the DataModule gives it, its number where it gives none."""
    return str(data.test_set_names[index]) if isinstance(data, _NamedTestSets) else f"set {index}"


class EvaluationModule(LightningModule, ABC):
    """A `Restorer` that is validated, tested and used by a Trainer. A subclass says how a batch is restored.

    Args:
        protocol: metric conventions; the defaults of `MetricProtocol` when None.
        tile: side, in observation pixels, of the overlapping, blended tiles that scenes are restored in; None restores
            them whole.

    Attributes:
        trained_on: `wavelengths` (nm) and `normalisation` of the data that the loaded weights were trained on, each
            where their checkpoint records it; empty without weights.

    Raises:
        ValueError: when the tile is below 16 pixels.
    """

    def __init__(self, protocol: MetricProtocol | None = None, tile: int | None = None) -> None:
        super().__init__()
        check_tile(tile, type(self).__name__)
        self.protocol = protocol if protocol is not None else MetricProtocol()
        self._ratio_of_task = self.protocol.ergas_ratio is None
        self.tile = tile
        self.trained_on: dict[str, Any] = {}
        # Not as submodules: a summary of the network is to show the network.
        self._scored: dict[str, MetricCollection] = {}
        self._products: dict[str, MetricCollection] = {}
        self._source_restorer: Restorer | None = None

    @property
    @abstractmethod
    def name(self) -> str:
        """What it is called in tables, records and headers."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Keys of a batch that `restore` reads."""
        return ("observation",)

    @property
    def file_tile(self) -> int:
        """Side of the tiles in which files are restored where nothing else is asked for, so that any size fits."""
        return FILE_TILE

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """Return everything that a restored cube depends on beside the batch and the tile; see `Restorer`."""

    @abstractmethod
    def restore(self, batch: Mapping[str, Any], tile: int | None = None) -> Tensor:
        """Restore a batch without gradients; see `Restorer.restore`."""

    def source_restorer(self) -> Restorer | None:
        """Return what it restored like before it was adapted; None for what was not adapted from anything."""
        return None

    def on_validation_epoch_start(self) -> None:
        """Forget the scenes of an earlier validation."""
        self._take_ratio()
        self._scored = {"": self.protocol.collection("val/").to(self.device)}

    def validation_step(self, batch: Mapping[str, Any], batch_idx: int) -> None:
        """Score a validation batch."""
        self._scored[""].update(self.restored_scenes(batch), batch["target"], names=batch["name"])

    def on_validation_epoch_end(self) -> None:
        """Log `val/psnr`, ... as means over the validation scenes."""
        for name, score in self._scored[""].compute().items():
            # The scores of all ranks are in it already; being equal, they are not changed by another mean.
            self.log(name, score, prog_bar=name == "val/psnr", sync_dist=True)

    def on_test_epoch_start(self) -> None:
        """Begin new scores for every test set, also for those of which this process restores no scene."""
        self._take_ratio()
        sets = [self._test_set(index) for index in range(len(self.trainer.num_test_batches))]
        self._scored = {name: self.protocol.collection(f"test/{name}/").to(self.device) for name in sets}
        self._products = {name: given_scores(NoReference._fields, f"test/{name}/").to(self.device) for name in sets}
        self._source_restorer = None

    def on_test_batch_start(self, batch: Mapping[str, Any], batch_idx: int, dataloader_idx: int = 0) -> None:
        """Give back what the scene before took."""
        give_back_freed()

    def test_step(self, batch: Mapping[str, Any], batch_idx: int, dataloader_idx: int = 0) -> Tested:
        """Restore a test batch, and score it where there is something to compare with."""
        restored = self.restored_scenes(batch)
        scores: list[dict[str, float]] = [{} for _ in batch["name"]]
        if "target" in batch:
            metrics = self._scored[self._test_set(dataloader_idx)]
            metrics.update(restored, batch["target"], names=batch["name"])
            scores = latest_scores(metrics)
        elif "multispectral" in batch:
            products = [self._product(batch, index, one) for index, one in enumerate(restored)]
            known = torch.tensor(products, dtype=torch.float64, device=self.device)
            self._products[self._test_set(dataloader_idx)].update(known, known, names=batch["name"])
            scores = [one._asdict() for one in products]
        source_only = cache(lambda: self._restored_by_source(batch)) if self.has_source else None
        return {"restored": restored, "scores": scores, "source_only": source_only}

    def on_test_epoch_end(self) -> None:
        """Log `test/<set>/psnr`, ... as means over the scenes of each set."""
        for metrics in (*self._scored.values(), *self._products.values()):
            if self._compared_anywhere(metrics):
                self.log_dict(metrics.compute(), sync_dist=True)

    def on_test_end(self) -> None:
        """Give back the memory of the source weights."""
        self._source_restorer = None

    def predict_step(self, batch: Mapping[str, Any], batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """Restore observations that have no target."""
        return self.restored_scenes(batch)

    def restored_scenes(self, batch: Mapping[str, Any]) -> Tensor:
        """Restore scenes for scoring or use.

        Raises:
            ValueError: when an image is missing or not finite, or the restored size is not the target's.
        """
        self._check_images(batch)
        restored = self.restore(batch)
        self.check_size(batch, restored)
        return restored

    @property
    def has_source(self) -> bool:
        """Whether `source_restorer` gives something."""
        return False

    def check_size(self, batch: Mapping[str, Any], restored: Tensor) -> None:
        """Refuse restored cubes of another size or other bands than the target's.

        Raises:
            ValueError: naming both shapes.
        """
        target = batch.get("target")
        if target is not None and target.shape != restored.shape:
            raise InputError(
                f"{self.name} restored {list(restored.shape)} where the target is {list(target.shape)}; for "
                "super-resolution wrap a same-size network in UpsampledInput of that scale."
            )

    def _take_ratio(self) -> None:
        """Score by the ratio of the data's task, where the protocol leaves it to them."""
        if self._ratio_of_task:
            task = getattr(datamodule_of(self.trainer), "degradation", None)
            self.protocol = self.protocol.of_ratio(getattr(task, "scale", 1))

    @staticmethod
    def _product(batch: Mapping[str, Any], index: int, fused: Tensor) -> NoReference:
        """Score a fused image without truth."""
        blur, phase = batch.get("blur"), batch.get("phase")
        observation, multispectral = (batch[key][index].to(fused.device) for key in ("observation", "multispectral"))
        missing = batch["missing"][index].to(fused.device) if "missing" in batch else None
        return no_reference(fused, observation, multispectral, phase=phase, blur=blur, missing=missing)

    def _check_images(self, batch: Mapping[str, Any]) -> None:
        """Refuse images with values that are not finite."""
        images = [one for key in self.needs if isinstance(one := batch.get(key), Tensor)]
        finite = torch.stack([torch.isfinite(one).flatten(1).all(dim=1) for one in images]).all(dim=0).tolist()
        spoilt = [name for name, good in zip(batch["name"], finite, strict=True) if not good]
        if spoilt:
            raise InputError(
                f"The observation of {', '.join(spoilt)} holds NaN or infinite values; repair or leave out the scene."
            )

    def _restored_by_source(self, batch: Mapping[str, Any]) -> RestoredScenes:
        if self._source_restorer is None:
            self._source_restorer = self.source_restorer()
        assert self._source_restorer is not None  # noqa: S101 - asked only where there is one
        restored = self._source_restorer.restore(batch)
        if "target" not in batch:
            return RestoredScenes(restored, [{} for _ in batch["name"]])
        pairs = zip(restored, batch["target"], strict=True)
        return RestoredScenes(restored, [self.protocol.evaluate(one, target) for one, target in pairs])

    @staticmethod
    def _compared_anywhere(metrics: MetricCollection) -> bool:
        """Tell whether any rank compared a scene with a clean one: a set without ground truth has no scores."""
        return any(all_gathered(any(metric.update_called for metric in metrics.values())))

    def _test_set(self, index: int) -> str:
        return test_set_name(datamodule_of(self.trainer), index)
