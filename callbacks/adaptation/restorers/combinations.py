"""Proxies by several restorers: one after another, their mean, or one of them over flips and rotations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from callbacks.adaptation.restorers.base import ProxyRestorer
from callbacks.adaptation.restorers.network import SourceRestorer
from hyperalign.errors import InputError
from lightning_modules.restorer import Restorer


class _Several(ProxyRestorer):
    """Restorers that share a batch.

    Args:
        restorers: at least one.
    """

    def __init__(self, restorers: list[ProxyRestorer]) -> None:
        if not restorers:
            raise InputError(f"{type(self).__name__} was given no restorer: list at least one.")
        super().__init__()
        self.restorers = restorers

    @property
    def uses_source(self) -> bool:
        """Whether any of them uses the source network."""
        return any(restorer.uses_source for restorer in self.restorers)

    def bind(self, module: Restorer, source: Restorer | None) -> None:
        """Bind all of them."""
        super().bind(module, source)
        for restorer in self.restorers:
            restorer.bind(module, source if restorer.uses_source else None)
        self.needs = tuple(dict.fromkeys(key for restorer in self.restorers for key in restorer.needs))

    def identity(self) -> dict[str, Any]:
        """Return its name and the settings of all, in order."""
        return {"restorer": self.name, "restorers": [restorer.identity() for restorer in self.restorers]}


class ChainRestorer(_Several):
    """One after another: each is given what the one before restored, the first the observation.

    A solver before the network leaves it less noise than it knows; a solver after the network removes what is left.

    Args:
        restorers: in the order in which they work.

    Raises:
        ValueError: when there is none.
    """

    def restore(self, batch: Mapping[str, Any], tile: int | None = None) -> Tensor:
        """Restore step by step."""
        restored: Tensor = batch["observation"]
        for restorer in self.restorers:
            restored = restorer.restore({**batch, "observation": restored}, tile)
        return restored


class MeanRestorer(_Several):
    """The weighted mean of what several restore: their errors differ, and partly cancel.

    Args:
        restorers: what is averaged.
        weights: as many numbers above zero; None weighs all alike.

    Raises:
        ValueError: when there is none, or the weights do not fit.
    """

    def __init__(self, restorers: list[ProxyRestorer], weights: list[float] | None = None) -> None:
        super().__init__(restorers)
        if weights is not None and (len(weights) != len(restorers) or min(weights) <= 0):
            raise InputError(
                f"MeanRestorer was given the weights {weights} for {len(restorers)} restorers: give each one above "
                "zero."
            )
        self.weights = weights if weights is not None else [1.0] * len(restorers)

    def restore(self, batch: Mapping[str, Any], tile: int | None = None) -> Tensor:
        """Restore by each and average.

        Raises:
            ValueError: when they restore different sizes.
        """
        restored = [restorer.restore(batch, tile) for restorer in self.restorers]
        if len(sizes := {tuple(one.shape) for one in restored}) > 1:
            listed = " and ".join(str(list(size)) for size in sorted(sizes))
            raise InputError(f"MeanRestorer cannot average cubes of {listed}: take restorers of the same scale.")
        total = sum(self.weights)
        return torch.stack([one * (weight / total) for one, weight in zip(restored, self.weights, strict=True)]).sum(0)

    def identity(self) -> dict[str, Any]:
        """Return the settings of all, and the weights."""
        return {**super().identity(), "weights": list(self.weights)}


class FlipRestorer(ProxyRestorer):
    """The mean over the eight flips and rotations of the image, each turned back.

    Args:
        restorer: what restores them; None takes the source network.
    """

    def __init__(self, restorer: ProxyRestorer | None = None) -> None:
        super().__init__()
        self.restorer = restorer if restorer is not None else SourceRestorer()

    def bind(self, module: Restorer, source: Restorer | None) -> None:
        """Bind the inner restorer."""
        super().bind(module, source)
        self.restorer.bind(module, source)
        self.needs = self.restorer.needs

    @property
    def uses_source(self) -> bool:
        """Whether the inner restorer uses the source network."""
        return self.restorer.uses_source

    def restore(self, batch: Mapping[str, Any], tile: int | None = None) -> Tensor:
        """Restore eight times and average.

        Raises:
            ValueError: for a pair of images, or one whose pixels lie off the middle of those that are restored: their
                grid does not turn with them.
        """
        if "multispectral" in batch:
            raise InputError(
                "FlipRestorer turns single images, but these observations are pairs: take SourceRestorer for them."
            )
        observation: Tensor = batch["observation"]
        turned = [
            back(self.restorer.restore({**batch, "observation": turn(observation).contiguous()}, tile))
            for turn, back in TURNS
        ]
        middle = (turned[0].shape[-1] / observation.shape[-1] - 1) / 2
        if abs(float(batch.get("phase", middle)) - middle) > 1e-6:
            raise InputError(
                f"FlipRestorer cannot turn observations whose pixels lie at {batch['phase']:g} of their blocks instead "
                f"of in the middle, {middle:g}: take the restorer without flips."
            )
        return torch.stack(turned).mean(0)

    def identity(self) -> dict[str, Any]:
        """Return its name and the inner restorer's settings."""
        return {"restorer": self.name, "of": self.restorer.identity()}


Turn = Callable[[Tensor], Tensor]


def _pair(quarters: int, flipped: bool) -> tuple[Turn, Turn]:
    """Return a turn of the last two axes and the one that undoes it."""

    def turn(cube: Tensor) -> Tensor:
        rotated = torch.rot90(cube, quarters, (-2, -1))
        return rotated.flip(-1) if flipped else rotated

    def back(cube: Tensor) -> Tensor:
        return torch.rot90(cube.flip(-1) if flipped else cube, -quarters, (-2, -1))

    return turn, back


TURNS = tuple(_pair(quarters, flipped) for quarters in range(4) for flipped in (False, True))
"""The eight symmetries of a square, each with its inverse."""
