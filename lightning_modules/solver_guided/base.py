"""A network behind a training-free method: the method sees the scene whole, the network its result, in tiles."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from hyperalign.errors import InputError
from lightning_modules.solver_guided.memory import SolvedPatches

__all__ = ["SolverGuided", "scene_wide"]

Finish = Callable[[Tensor], Tensor]
"""What makes a restored cube of what the network gives."""


class SolverGuided(nn.Module, ABC):
    """A backbone that is given a solver's result beside the observation, and starts as the solver.

    The solver, and whatever else is found in a scene as a whole, is run once a scene; the backbone may then work in
    tiles. In training every patch is a scene of its own; results are kept, so that a pool of patches
    (`data.patch_pool`) is solved once. Ours, not of a paper.

    Args:
        solver: training-free method, observations `B x C x H x W` to restored cubes.
        network: backbone that keeps the image size, with as many channels as `channels`.
        channels: channels of the backbone.
        inputs: channels that it is given, the starting point first; a 1 x 1 convolution mixes them.
        memory: mebibytes of solver results that are kept in training.

    Raises:
        InputError: when the network was built for another number of channels, or keeps another size.
    """

    whole_scenes = True
    """Whether scenes must come whole: the network itself is then given tiles, see `restored_by`."""

    any_bands = False
    """Whether observations of any number of bands are taken, so that no band is matched."""

    is_wrapper = True
    """Whether its name shows the network inside."""

    def __init__(self, solver: nn.Module, network: nn.Module, channels: int, inputs: int, memory: int) -> None:
        super().__init__()
        name = type(self).__name__
        built_for = getattr(network, "input_channels", None)
        if built_for is not None and built_for != channels:
            raise InputError(
                f"{name} gives its network {channels} channels, but {type(network).__name__} was built for "
                f"{built_for}: set its input_channels to {channels}."
            )
        if getattr(network, "scale", 1) != 1:
            raise InputError(
                f"{name} needs a network that keeps the image size, which {type(network).__name__} does not: take a "
                "denoising network."
            )
        if memory < 0:
            raise InputError(f"{name} got memory={memory}: give the mebibytes for solver results, at least 0.")
        self.solver = solver
        self.network = network
        self.mix = nn.Conv2d(inputs, channels, 1)
        nn.init.zeros_(cast("Tensor", self.mix.bias))
        nn.init.zeros_(self.mix.weight)
        with torch.no_grad():
            self.mix.weight[:, :channels, 0, 0] = torch.eye(channels)
        self._solved = SolvedPatches(memory)

    @abstractmethod
    def prepared(self, observation: Tensor) -> tuple[Tensor, Finish]:
        """Return what `core` is given of whole scenes, and what makes restored cubes of what it gives.

        Args:
            observation: `B x C x H x W`.

        Returns:
            `B x inputs x H x W`, and a function of `B x channels x H x W`.
        """

    def core(self, images: Tensor) -> Tensor:
        """Apply mixing and backbone to prepared images, `B x inputs x H x W`, or to tiles of them."""
        restored: Tensor = self.network(self.mix(images))
        return restored

    def forward(self, observation: Tensor) -> Tensor:
        """Restore observations `B x C x H x W`, whole scenes or training patches."""
        images, finish = self.prepared(observation)
        return finish(self.core(images.to(self.mix.weight.dtype)))

    @torch.no_grad()
    def solve(self, observation: Tensor) -> Tensor:
        """Return the solver's result, in training from memory where it is known."""
        if self.training:
            return self._solved.solved(observation, self.solver)
        solved: Tensor = self.solver(observation)
        return solved


def scene_wide(network: nn.Module) -> SolverGuided | None:
    """Return the part of a network or module that must see scenes whole; None where tiles serve as well."""
    found = network if isinstance(network, SolverGuided) else getattr(network, "network", None)
    return found if isinstance(found, SolverGuided) else None
