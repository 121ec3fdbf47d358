"""The work of training on generated cubes, without a Trainer: one generator asked for some cubes beside every proxy."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from callbacks.adaptation.stages import Within, complete, versions
from callbacks.adaptation.store import Store
from callbacks.generators import CubeGenerator, CubeRequest
from callbacks.progress import Progress
from datamodules.scenes.scene import MappedScene
from datamodules.target import AdaptationTarget
from hyperalign.errors import InputError
from hyperalign.files import file_digest, file_stem
from hyperalign.ranks import Ranks
from hyperalign.seeding import generator_for

REVISION = 1
"""Raised whenever generated cubes of unchanged settings would come out differently."""


@dataclass(frozen=True)
class Generated:
    """One generated cube.

    Attributes:
        scene: the cube on disk.
        metadata: its `seed`, its `number` and the `seconds` it took.
    """

    scene: MappedScene
    metadata: Mapping[str, Any]


def generate_cubes(
    generator: CubeGenerator,
    proxies: Sequence[MappedScene],
    root: str | Path,
    *,
    ratio: int = 3,
    seed: int = 0,
    round_number: int = 0,
    smallest: int = 1,
    device: torch.device | str = "cpu",
    ranks: Ranks | None = None,
    progress: Progress | None = None,
) -> list[Generated]:
    """Ask a generator for `ratio` cubes beside every proxy (HIR-ALIGN, section IV-G4), or find them in the store.

    Each cube is an entry of its own; in the first round a larger ratio keeps what a smaller one made.

    Args:
        generator: where the cubes come from.
        proxies: the proxy scenes, with distinct names.
        root: the store's root folder.
        ratio: cubes per proxy (the paper's M, 3).
        seed: seed of the adaptation.
        round_number: the round of adaptation, from 0.
        smallest: least side of a cube in pixels: that of the training patches.
        device: where the generator finds the proxies, and computes.
        ranks: the processes that share the work; by default those of torch.distributed.
        progress: called as cubes are finished.

    Returns:
        The cubes, `C x H' x W'` float32 on disk, proxy by proxy, without captions: nobody knows what they show.

    Raises:
        ValueError: if a cube has another band count, values that are not finite or not in [0, 1], or is too small.
        StoreError: if the store is unwritable or full.
    """
    first = round_number * ratio * len(proxies)
    settings = {"proxies": _identities(proxies), "source": generator.settings(), "seed": seed, "round": round_number}
    store = Store(root, "generated", {**settings, "first": first, "versions": versions(REVISION)})
    by_name = _entries(proxies, ratio)

    def make(name: str, _: Within) -> None:
        begin, (place, proxy, index) = time.perf_counter(), by_name[name]
        # The first cube of every proxy, then the second: so a larger ratio only adds numbers.
        number = first + index * len(proxies) + place
        cube = proxy.load().cube.to(device)
        randomness = generator_for(seed, "generated", round_number, proxy.name, index)
        made = _ask(generator, CubeRequest(cube, proxy.wavelengths, proxy.caption, number, seed, randomness))
        _check_size(made.shape[-2:], smallest, generator)
        seconds = round(time.perf_counter() - begin, 3)
        store.write_array(name, made, {"seed": seed, "number": number, "seconds": seconds})

    entries = complete("Generated cubes", store, list(by_name), make, ranks or Ranks(), progress)
    for entry in entries:
        # An earlier run may have made them for smaller patches.
        _check_size(entry.metadata["shape"][-2:], smallest, generator)
    return [
        Generated(MappedScene(f"{proxy.name} generated {index}", entry.path, proxy.wavelengths), entry.metadata)
        for (_, proxy, index), entry in zip(by_name.values(), entries, strict=True)
    ]


def check_generator_files(generator: CubeGenerator, data: AdaptationTarget) -> None:
    """Make sure that a generator copies no clean cube of the target, neither its own files nor their cached form.

    Raises:
        ValueError: naming the first such file.
        FileNotFoundError: if the generator's files, or the data set's, are missing.
    """
    for path in (file.resolve() for file in generator.files()):
        if data.is_clean(path):
            raise InputError(
                f"The file {path} of {type(generator).__name__} is a clean target cube, which adaptation must not see: "
                "give the generator a folder of generated cubes."
            )


def _identities(proxies: Sequence[MappedScene]) -> list[list[Any]]:
    return [[proxy.name, file_digest(proxy.path), list(proxy.wavelengths)] for proxy in proxies]


def _entries(proxies: Sequence[MappedScene], ratio: int) -> dict[str, tuple[int, MappedScene, int]]:
    """Return, by the names of their entries, the proxies' places, the proxies and the cubes' numbers beside them."""
    return {
        f"{file_stem(proxy.name)}/{index}": (place, proxy, index)
        for place, proxy in enumerate(proxies)
        for index in range(ratio)
    }


@torch.no_grad()
def _ask(generator: CubeGenerator, request: CubeRequest) -> Tensor:
    """Return the cube that a generator gives, which must be one of the target's."""
    cube, bands = generator(request), len(request.wavelengths)
    what = f"The cube {request.number} of {type(generator).__name__}"
    if cube.ndim != 3 or cube.shape[0] != bands or 0 in cube.shape:
        raise InputError(
            f"{what} has shape {tuple(cube.shape)}, where the target's {bands} bands x height x width are expected: "
            "make the generator match its bands by wavelength."
        )
    # NaN is in no range.
    if not bool(((cube >= 0) & (cube <= 1)).all()):
        low, high = float(cube.min()), float(cube.max())
        raise InputError(
            f"{what} reaches from {low:g} to {high:g}, where training expects finite values in [0, 1]: correct the "
            "generator's normalisation."
        )
    return cube


def _check_size(size: Sequence[int], smallest: int, generator: CubeGenerator) -> None:
    height, width = size
    if min(height, width) < smallest:
        raise InputError(
            f"{type(generator).__name__} gave a cube of {height} x {width} pixels, smaller than a training patch of "
            f"{smallest} x {smallest}: reduce data.init_args.patch_size, or give larger cubes."
        )
