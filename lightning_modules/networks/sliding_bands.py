"""A network of few bands on cubes of more: it slides along the spectrum in overlapping groups of its own band count."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from hyperalign.errors import InputError

__all__ = ["SlidingBands", "band_groups"]

_INNER = "network."


def band_groups(bands: int, group: int, overlap: int) -> tuple[list[int], Tensor]:
    """Return where groups of neighbouring bands begin, and with which weights their results are blended.

    Groups are spread evenly and overlap by at least `overlap` bands; weights fall linearly towards the ends of a group.

    Args:
        bands: of the cube.
        group: bands of a group, at most `bands`.
        overlap: bands that neighbouring groups share at least, below `group`.

    Returns:
        First bands, and weights `groups x group` that sum to 1 for every band of the cube.
    """
    steps = math.ceil((bands - group) / (group - overlap))
    starts = [round(step * (bands - group) / max(steps, 1)) for step in range(steps + 1)]
    ramp = torch.arange(1, group + 1, dtype=torch.float64)
    ramp = torch.minimum(ramp, ramp.flip(0)).clamp(max=overlap + 1)
    total = torch.zeros(bands, dtype=torch.float64)
    for start in starts:
        total[start : start + group] += ramp
    return starts, torch.stack([ramp / total[start : start + group] for start in starts]).float()


class SlidingBands(nn.Module):
    """Restores cubes of any number of bands, from that of the network inside, by running it on groups of neighbours.

    The weights are the inner network's, under its own names and its own identity, so that its checkpoints fit as they
    are. On cubes of as many bands it is that network. What `--data.bands windows` puts around a network; ours, not of
    a paper.

    Args:
        network: maps `B x G x h x w` to `B x G x H x W`, for one number of bands G.
        bands: G, where the network does not say it by `input_channels`.
        overlap: bands that neighbouring groups share at least; None takes half of G.

    Raises:
        InputError: when G is not known, or the overlap is not below it.
    """

    any_bands = True
    """Whether observations of any number of bands are taken, so that no band is matched."""

    same_identity = True
    """Whether it goes by the name of the network inside, whose weights it takes."""

    def __init__(self, network: nn.Module, bands: int | None = None, overlap: int | None = None) -> None:
        super().__init__()
        group = bands if bands is not None else getattr(network, "input_channels", None)
        if group is None:
            raise InputError(
                f"SlidingBands got {type(network).__name__}, which does not say its number of bands: give `bands`."
            )
        overlap = group // 2 if overlap is None else overlap
        if not 0 <= overlap < group:
            raise InputError(f"SlidingBands got overlap={overlap}: give at least 0 and fewer than {group} bands.")
        self.network = network
        self.fewest_bands: int = group
        self.overlap = overlap
        self.scale: int = getattr(network, "scale", 1)
        self.takes_phase = bool(getattr(network, "takes_phase", False))
        self.takes_task = bool(getattr(network, "takes_task", False))
        untyped: Any = self
        untyped.register_state_dict_post_hook(_without_prefix)
        untyped.register_load_state_dict_pre_hook(_with_prefix)

    def forward(self, observation: Tensor, **grid: float | Tensor) -> Tensor:
        """Restore observations `B x C x h x w` to `B x C x H x W`.

        Args:
            observation: of at least as many bands as the network has.
            grid: what the inner network is given beside.

        Raises:
            InputError: for fewer bands.
        """
        bands, group = observation.shape[1], self.fewest_bands
        if bands < group:
            raise InputError(
                f"The cube has {bands} bands, fewer than the {group} of the network that slides along them: set "
                "data.init_args.bands to interpolate, or use a checkpoint for fewer bands."
            )
        starts, weights = band_groups(bands, group, self.overlap)
        blended: Tensor | None = None
        for start, ramp in zip(starts, weights, strict=True):
            restored: Tensor = self.network(observation[:, start : start + group], **grid)
            part = restored * ramp.to(restored)[:, None, None]
            padded = nn.functional.pad(part, (0, 0, 0, 0, start, bands - start - group))
            blended = padded if blended is None else blended + padded
        if blended is None:
            raise InputError("The cube has no bands: give at least one.")
        return blended

    def extra_repr(self) -> str:
        """Return what no weight tells."""
        return f"bands={self.fewest_bands}, overlap={self.overlap}"


def _without_prefix(_: nn.Module, state: dict[str, Any], prefix: str, __: dict[str, Any]) -> None:
    """Name weights that are put out as the inner network names them."""
    for name in [name for name in state if name.startswith(prefix + _INNER)]:
        state[prefix + name.removeprefix(prefix + _INNER)] = state.pop(name)


def _with_prefix(_: nn.Module, state: dict[str, Any], prefix: str, *__: object) -> None:
    """Find weights that are taken in where the inner network looks for them."""
    for name in [name for name in state if name.startswith(prefix)]:
        state[prefix + _INNER + name.removeprefix(prefix)] = state.pop(name)
