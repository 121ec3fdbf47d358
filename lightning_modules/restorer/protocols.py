"""What a stage, a table, a picture and a writer need of anything that restores, with weights or without."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import torch
from torch import Tensor

from hyperalign.captions import Window
from hyperalign.errors import InputError, WrongTypeError
from lightning_modules.metrics import MetricProtocol

__all__ = [
    "Adaptable",
    "BandNetwork",
    "GivenByWindow",
    "Inputs",
    "MatchingNetwork",
    "ObservingNetwork",
    "Restorer",
    "adaptable",
    "restorer_of",
]

Inputs: TypeAlias = tuple[tuple[Tensor, ...], tuple[Tensor, ...]]
"""Images of the same ground, the one with the fewest pixels first, of which every tile is given its part; and tensors
that every tile is given whole, unless they are `GivenByWindow`."""


class GivenByWindow(tuple[Tensor, ...]):
    """What is given of a whole scene beside its images, which knows what to give of a part instead.

    Args:
        whole: given of a whole scene.
        part: what to give of a window in pixels of the first image.
    """

    part: Callable[[Window], tuple[Tensor, ...]]

    def __new__(cls, whole: Iterable[Tensor], part: Callable[[Window], tuple[Tensor, ...]]) -> GivenByWindow:
        """Return what is given of a whole scene, and of its parts."""
        made = super().__new__(cls, whole)
        made.part = part
        return made

    def of(self, window: Window | None) -> tuple[Tensor, ...]:
        """Return what is given of a window; None is the whole scene."""
        return self if window is None else self.part(window)


@runtime_checkable
class BandNetwork(Protocol):
    """A network that restores one band after the other (SFCSR)."""

    def restore_band(self, observation: Tensor, band: int, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Restore one band; return it and the context of the next one."""
        ...


@runtime_checkable
class ObservingNetwork(Protocol):
    """A fusion network that knows by which sensors its images were observed (SRLF-Net)."""

    def observe_by(self, response: Tensor, spread: Sequence[float] | None = None, first: int | None = None) -> None:
        """Take the response `c x C` and the blur of the sensors."""
        ...


@runtime_checkable
class MatchingNetwork(Protocol):
    """A fusion network with a loss of its own on the pairing of pixels and words (CO2IF, Eq. 1)."""

    @property
    def matching_loss(self) -> Callable[..., Tensor]:
        """The loss of an observation and its text."""
        ...


@runtime_checkable
class Restorer(Protocol):
    """Anything that turns observations into restored cubes: a module, a frozen network, a training-free method."""

    @property
    def name(self) -> str:
        """What it is called in tables, records and headers, such as `SERT`."""
        ...

    @property
    def needs(self) -> tuple[str, ...]:
        """Keys of a batch that `restore` reads, `observation` first (see `datamodules.sampling.batches.Batch`)."""
        ...

    @property
    def protocol(self) -> MetricProtocol:
        """Metric conventions under which it is scored."""
        ...

    @property
    def tile(self) -> int | None:
        """Side, in observation pixels, of the tiles in which it restores scenes; None restores them whole."""
        ...

    @property
    def file_tile(self) -> int:
        """Side of the tiles in which files are restored where nothing else is asked for, so that any size fits."""
        ...

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        ...

    @property
    def trained_on(self) -> Mapping[str, Any]:
        """`wavelengths` (nm) and `normalisation` of its training data, each where known; empty without weights."""
        ...

    def identity(self) -> dict[str, Any]:
        """Return everything that a restored cube depends on beside the batch and the tile, as plain values.

        It is part of the keys under which results are kept: `weights`, the sha256 of all weights, where there are any,
        and the settings of the method.
        """
        ...

    def restore(self, batch: Mapping[str, Any], tile: int | None = None) -> Tensor:
        """Restore a batch without gradients, wherever its tensors lie.

        Args:
            batch: holds what `needs` names; no target.
            tile: side of the tiles in observation pixels; None takes the restorer's own setting.

        Returns:
            The restored cubes `B x C x H x W`, on `device`.
        """
        ...

    def source_restorer(self) -> Restorer | None:
        """Return what it restored like before it was adapted; None for what was not adapted from anything."""
        ...


@runtime_checkable
class Adaptable(Restorer, Protocol):
    """A restorer with weights that learn, so that it can be adapted in rounds."""

    def weights(self) -> dict[str, Tensor]:
        """Return the present weights, by name."""
        ...

    def with_weights(self, weights: Mapping[str, Tensor]) -> Restorer:
        """Return a frozen copy that restores with these weights."""
        ...


def restorer_of(module: object, user: str) -> Restorer:
    """Return a module as what restores.

    Args:
        module: the Trainer's module.
        user: who asks, for the sentence that refuses it.

    Raises:
        TypeError: when it restores nothing.
    """
    if isinstance(module, Restorer):
        return module
    raise WrongTypeError(
        f"{user} needs something that restores, which {type(module).__name__} is not: take a RestorationModule, a "
        "FusionModule or another module with the methods of lightning_modules.restorer.Restorer."
    )


def adaptable(module: object, user: str) -> Adaptable:
    """Return a module as what restores and learns; see `restorer_of`.

    Raises:
        ValueError: when it restores nothing, or has no weights to adapt.
    """
    if isinstance(module, Adaptable):
        return module
    raise InputError(
        f"{user} needs the source weights, which {type(module).__name__} does not know: use a RestorationModule with "
        "source=<checkpoint>."
    )
