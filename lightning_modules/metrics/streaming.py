"""Streaming mean over scenes of a per-scene score, the same on one process and on many."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.utilities import dim_zero_cat

from hyperalign.errors import InputError

__all__ = ["SceneMean", "given_scores", "latest_scores"]


class SceneMean(Metric):
    """Mean over scenes of a score; batches stream through, only one number per scene is kept.

    Distributed samplers repeat scenes to give every process equally many; a scene that arrives twice under one name
    counts once, and scores are added in the order of their names' hashes, so that any number of processes and any
    batch size give the same mean. Scenes given without a name all count.

    Args:
        score: maps (restored, target), both `C x H x W`, to a number.
    """

    full_state_update = False
    is_differentiable = False

    scores: list[Tensor]
    identities: list[Tensor]

    def __init__(self, score: Callable[[Tensor, Tensor], float]) -> None:
        super().__init__()
        self.score = score
        self.add_state("scores", default=[], dist_reduce_fx="cat")
        self.add_state("identities", default=[], dist_reduce_fx="cat")

    def update(self, restored: Tensor, target: Tensor, names: Sequence[str] | None = None) -> None:
        """Add a batch.

        Args:
            restored: `B x C x H x W`.
            target: `B x C x H x W`.
            names: scene name of every cube; None counts every cube as a scene of its own.

        Raises:
            ValueError: when the numbers of cubes and names differ.
        """
        names = [""] * len(target) if names is None else names
        if not len(restored) == len(target) == len(names):
            raise InputError(
                f"SceneMean: {len(restored)} restored cubes, {len(target)} targets and {len(names)} scene names "
                "do not belong together; give as many of each."
            )
        scores = [self.score(one, other) for one, other in zip(restored, target, strict=True)]
        self._append(scores, [_key(name) for name in names], target.device)

    def _append(self, scores: list[float], keys: list[int], device: torch.device) -> None:
        """Add scores and the hashes of their scenes' names to the states."""
        precision = torch.float32 if device.type == "mps" else torch.float64
        self.scores.append(torch.tensor(scores, dtype=precision, device=device))
        self.identities.append(torch.tensor(keys, dtype=torch.int64, device=device))

    def _sync_dist(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - torchmetrics' own signature
        """Gather from all processes; one without scenes gives empty states of the right types, or gathering fails."""
        if not self.scores:
            self._append([], [], self.device)
        super()._sync_dist(*arguments, **named)

    def compute(self) -> Tensor:
        """Return the mean over all scenes seen since the last reset; nan before the first."""
        if not len(self.scores):
            return torch.tensor(float("nan"))
        gathered = dim_zero_cat(self.scores)
        scores = gathered.tolist()
        keys = dim_zero_cat(self.identities).tolist()
        named = {key: score for key, score in zip(keys, scores, strict=True) if key}
        ordered = [named[key] for key in sorted(named)]
        ordered += sorted(score for key, score in zip(keys, scores, strict=True) if not key)
        return gathered.new_tensor(sum(ordered) / len(ordered))


def given_scores(names: Sequence[str], prefix: str = "") -> MetricCollection:
    """Return streaming means `<prefix>NAME` of scores that are known: update it with `B x names` twice, and names."""
    metrics = {name: SceneMean(partial(_taken, place)) for place, name in enumerate(names)}
    return MetricCollection(metrics, prefix=prefix, compute_groups=False)  # type: ignore[arg-type]


def _taken(place: int, scores: Tensor, _: Tensor) -> float:
    return float(scores[place])


def latest_scores(metrics: MetricCollection) -> list[dict[str, float]]:
    """Return the scores of every cube of the last batch that a collection of `SceneMean` received, as computed then."""
    latest: dict[str, list[float]] = {}
    for name, metric in metrics.items(keep_base=True):
        if isinstance(metric, SceneMean):
            latest[str(name)] = metric.scores[-1].tolist()
    return [dict(zip(latest, values, strict=True)) for values in zip(*latest.values(), strict=True)]


def _key(name: str) -> int:
    """Turn a scene name into a positive 63-bit number, 0 for no name."""
    if not name:
        return 0
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1 or 1
