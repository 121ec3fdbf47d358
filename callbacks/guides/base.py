"""The interface behind which everything that makes RGB guides stands."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hyperalign.errors import InputError


class Guides(ABC):
    """Makes RGB guides from a proxy RGB (HIR-ALIGN, section III-B 1, the set of g_{i,j}).

    A guide shows the proxy's scene with another layout of details, illumination or texture. It must stay roughly
    aligned with the proxy, because the spectral transfer looks for every guide pixel's spectrum in the proxy.
    Subclasses write `__call__` and `settings`; those that learn from the proxies also write
    `fit` and `fit_steps`.
    """

    @property
    def fit_steps(self) -> int:
        """Number of steps that `fit` reports to its `progress`; 0 for guides that need no training."""
        return 0

    @property
    def fit_seconds(self) -> float:
        """Seconds that `fit` has spent on training, interrupted runs included; 0 for guides without any."""
        return 0.0

    def fit(  # noqa: B027 - guides without training has nothing to do here
        self,
        proxy_rgbs: Sequence[Tensor],
        seed: int,
        folder: Path,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Learn from all proxies of the target, once, before guides are asked for.

        Args:
            proxy_rgbs: one 3 x H x W image in [0, 1] a proxy; sizes may differ.
            seed: makes the training repeatable.
            folder: where they may keep their training state and result, created if missing.
            progress: called with the number of finished steps, up to `fit_steps`.
        """

    @abstractmethod
    def __call__(self, proxy_rgb: Tensor, n: int, generator: torch.Generator) -> Tensor:
        """Make `n` guides of one proxy.

        Args:
            proxy_rgb: 3 x H x W in [0, 1], any size, on any device.
            n: number of guides, at least 1.
            generator: a CPU generator; all randomness comes from it.

        Returns:
            n x 3 x H x W in [0, 1], float32, on the proxy's device.
        """

    @property
    def at_once(self) -> int:
        """Number of guides that `many` is best asked for; 1 for guides that gain nothing by batches."""
        return 1

    def many(self, requests: Sequence[tuple[Tensor, torch.Generator]]) -> list[Tensor]:
        """Make one guide for each pair of a proxy RGB and a generator, of one proxy or of several.

        A guide depends on its own proxy and generator alone (up to rounding), so that neither ranks nor batches change
        it. Guides that are computed faster in batches override this.

        Args:
            requests: 3 x H x W proxies in [0, 1], sizes may differ, each with the CPU generator of its guide.

        Returns:
            One 3 x H x W guide a request, as `__call__` gives it.
        """
        return [self(proxy_rgb, 1, generator)[0] for proxy_rgb, generator in requests]

    def release(self) -> None:  # noqa: B027 - guides without weights have nothing to release
        """Free the memory of weights that can be read again; called when a round's guides are made."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Return everything that determines the guides, JSON-able; it goes into the store's key."""


def check_request(proxy_rgb: Tensor, n: int) -> Tensor:
    """Validate what every `Guides.__call__` is given.

    Args:
        proxy_rgb: 3 x H x W.
        n: number of guides asked for.

    Returns:
        The proxy as float32, clamped to [0, 1]: restorers overshoot slightly.

    Raises:
        ValueError: for another shape, non-finite values or `n < 1`.
    """
    if n < 1:
        raise InputError(f"{n} guides were asked for: ask for at least 1.")
    if proxy_rgb.ndim != 3 or proxy_rgb.shape[0] != 3 or 0 in proxy_rgb.shape:
        raise InputError(
            f"A proxy RGB has shape 3 x H x W, not {tuple(proxy_rgb.shape)}: convert the cube with to_rgb."
        )
    if not bool(torch.isfinite(proxy_rgb).all()):
        raise InputError("The proxy RGB holds NaN or infinite values: check the restorer that made the proxy.")
    return proxy_rgb.detach().float().clamp(0.0, 1.0)


def check_range(name: str, value: float, low: float, high: float = float("inf")) -> None:
    """Raise a ValueError unless `low <= value <= high`; `name` is the argument the user wrote."""
    if not low <= value <= high:
        bound = f"at least {low:g}" if high == float("inf") else f"between {low:g} and {high:g}"
        raise InputError(f"The guides' argument {name} is {value:g}: choose a value {bound}.")


def described(guides: Guides, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of guides: their class name and the values of its arguments."""
    return {"class": type(guides).__name__, **arguments}
