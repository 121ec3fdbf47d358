"""The interface behind which every generator of whole cubes stands."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class CubeRequest:
    """What a generator is told about the cube that is wanted.

    Attributes:
        proxy: C x H x W in [0, 1], the proxy beside which the cube will train; generators may ignore it.
        wavelengths: the target's C band centres in nm, which the cube must have.
        caption: the proxy's caption, empty if it has none.
        number: counts the cubes of one adaptation from 0: the first of every proxy, then the second of every proxy,
            and on over the rounds.
        seed: of the adaptation, the same for all its cubes.
        generator: this cube's own CPU generator.
    """

    proxy: Tensor
    wavelengths: Sequence[float]
    caption: str
    number: int
    seed: int
    generator: torch.Generator


class CubeGenerator(ABC):
    """Makes hyperspectral training cubes without guides and spectral transfer (HIR-ALIGN, section IV-G4, Table IX).

    The counterpart of guides: where those carry layout only and the proxy gives the spectra, a generator of cubes gives
    both. Subclasses write `__call__` and `settings`.
    """

    @abstractmethod
    def __call__(self, request: CubeRequest) -> Tensor:
        """Make one cube.

        Returns:
            C x H' x W' in [0, 1], float32, on the proxy's device, bands at the request's wavelengths; the size is the
            generator's own.
        """

    def files(self) -> Sequence[Path]:
        """Return the files that cubes are copied from, so that clean target cubes among them are refused; or none."""
        return ()

    def release(self) -> None:  # noqa: B027 - a generator without weights has nothing to release
        """Free the memory of weights that can be read again; called when a round's cubes are made."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Return everything that determines the cubes, JSON-able; it goes into the store's key."""
