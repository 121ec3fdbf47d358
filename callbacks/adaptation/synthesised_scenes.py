"""The work of stage (ii) of HIR-ALIGN, without a Trainer: guides of every proxy, its spectra carried over to them."""

import math
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from callbacks.adaptation.stages import Finished, complete_share, versions
from callbacks.adaptation.store import Entry, Store, writing
from callbacks.guides import Guides
from callbacks.guides.quality import SMALLEST, GuideQuality, guide_quality
from callbacks.progress import Progress
from callbacks.transfer import SpectralTransfer, TransportOperator
from datamodules.scenes.scene import MappedScene
from datamodules.scenes.wavelengths import to_rgb
from hyperalign.files import file_digest, file_stem
from hyperalign.ranks import Ranks
from hyperalign.seeding import generator_for

GUIDES_REVISION = 1
TRANSFER_REVISION = 1
"""Raised whenever guides, or synthesised cubes, of unchanged settings would come out differently."""


@dataclass(frozen=True)
class Synthesised:
    """One synthesised scene.

    Attributes:
        scene: the synthesised cube on disk.
        proxy: the proxy that its spectra come from.
        guide: path of the RGB guide, `3 x H x W` float32 in [0, 1], `.npy`.
        metadata: Seconds, PSNR (dB) of the transported proxy RGB to the guide, kappa and support of T.
        guide_metadata: seed and seconds of the guide, and `training_seconds` of what made it.
    """

    scene: MappedScene
    proxy: MappedScene
    guide: Path
    metadata: Mapping[str, Any]
    guide_metadata: Mapping[str, Any]


@dataclass(frozen=True)
class Surroundings:
    """What the steps of the stage share: where they run, where they write, whom they tell.

    Attributes:
        root: the store's root folder.
        device: where guides and transport are computed.
        ranks: the processes that share the work.
        progress: called as entries are finished.
    """

    root: str | Path
    device: torch.device
    ranks: Ranks
    progress: Progress | None = None


def proxy_rgb(proxy: MappedScene) -> Tensor:
    """Return a proxy's RGB picture (HIR-ALIGN, Eq. 4), `3 x H x W` in [0, 1].

    Raises:
        ValueError: if the proxy's wavelengths do not cover 470, 550 and 660 nm.
    """
    return to_rgb(proxy.load().cube, proxy.wavelengths).clamp(0.0, 1.0)


def synthesise(
    guides: Guides,
    transfer: SpectralTransfer,
    proxies: Sequence[MappedScene],
    root: str | Path,
    *,
    ratio: int = 3,
    seed: int = 0,
    round_number: int = 0,
    device: torch.device | str = "cpu",
    ranks: Ranks | None = None,
    progress: Progress | None = None,
) -> list[Synthesised]:
    """Synthesise `ratio` scenes from every proxy (HIR-ALIGN, Eq. 4-26), or find them in the store.

    Each guide and each synthesised cube is an entry of its own and depends on the seed, the round, its proxy's name and
    its number only, not on which rank makes it or when; a larger ratio keeps what a smaller one made.

    Args:
        guides: where RGB guides come from.
        transfer: the spectral transfer.
        proxies: the proxy scenes, with distinct names.
        root: the store's root folder.
        ratio: guides per proxy (the paper's M, 3).
        seed: seed of the guides.
        round_number: the round of adaptation, from 0.
        device: where guides and transport are computed.
        ranks: the processes that share the work; by default those of torch.distributed.
        progress: called as entries are finished.

    Returns:
        The synthesised scenes, proxy by proxy.

    Raises:
        ValueError: if the wavelengths do not cover 470, 550 and 660 nm.
        StoreError: if the store is unwritable or full.
    """
    around = Surroundings(root, torch.device(device), ranks or Ranks(), progress)
    proxied = [[proxy.name, file_digest(proxy.path), list(proxy.wavelengths)] for proxy in proxies]
    common = {"proxies": proxied, "guides": guides.settings(), "seed": seed, "round": round_number}
    work = [(proxy, index) for proxy in proxies for index in range(ratio)]
    guide_entries = _make_guides(guides, proxies, work, common, around)
    by_name = {entry.name: entry for entry in guide_entries}
    guide_paths = {name: entry.path for name, entry in by_name.items()}
    entries = _transfer_spectra(transfer, work, guide_paths, common, around)
    return [
        Synthesised(
            MappedScene(f"{proxy.name} guide {index}", entry.path, proxy.wavelengths, proxy.caption),
            proxy,
            guide_paths[entry.name],
            entry.metadata,
            by_name[entry.name].metadata,
        )
        for (proxy, index), entry in zip(work, entries, strict=True)
    ]


def _entry_name(proxy: MappedScene, index: int) -> str:
    return f"{file_stem(proxy.name)}/{index}"


def _make_guides(
    guides: Guides,
    proxies: Sequence[MappedScene],
    work: Sequence[tuple[MappedScene, int]],
    common: Mapping[str, Any],
    around: Surroundings,
) -> list[Entry]:
    """Make the guides g_{i,j} (HIR-ALIGN, section III-B 1)."""
    store = Store(around.root, "guides", {**common, "versions": versions(GUIDES_REVISION)})
    by_name = {_entry_name(proxy, index): (proxy, index) for proxy, index in work}

    def fit(missing: Sequence[str]) -> None:
        # Guides are written first; what is carried over to them follows at once.
        sizes = [(3 + by_name[name][0].shape[0]) * math.prod(by_name[name][0].shape[1:]) for name in missing]
        store.check_space(4 * sum(sizes), "guides and synthesised cubes")

        def report(step: int) -> None:
            if around.progress is not None:
                around.progress("Guide training", step, guides.fit_steps)

        rgbs = [proxy_rgb(proxy).to(around.device) for proxy in proxies]
        # Rank 0 trains, then the others read what it left in the folder.
        for first in (True, False):
            with around.ranks.meeting(), writing(store.folder):
                if (around.ranks.rank == 0) is first:
                    guides.fit(rgbs, common["seed"], store.folder / "training", report if first else None)

    def make_share(names: Sequence[str], finished: Finished) -> None:
        # Neighbouring guides of equal size go through a generator together; those of one proxy stay together.
        waiting = sorted(names, key=lambda name: by_name[name][0].shape[1:])
        for done in range(0, len(waiting), guides.at_once):
            finished(done)
            _make_batch(guides, waiting[done : done + guides.at_once], by_name, store, common, around)
        finished(len(waiting))

    entries = complete_share("Guides", store, list(by_name), make_share, around.ranks, around.progress, fit)
    # The transfer and the finetuning that follow need the memory.
    guides.release()
    return entries


def _make_batch(
    guides: Guides,
    names: Sequence[str],
    by_name: Mapping[str, tuple[MappedScene, int]],
    store: Store,
    common: Mapping[str, Any],
    around: Surroundings,
) -> None:
    """Make some guides together and write them, each with its seed and seconds: its share, and the whole training."""
    begin = time.perf_counter()
    # Another run that shares the store may have made some in the meantime.
    names = [name for name in names if not store.valid(name)]
    scenes = {by_name[name][0].name: by_name[name][0] for name in names}
    rgbs = {name: proxy_rgb(scene).to(around.device) for name, scene in scenes.items()}
    requests = []
    for proxy, index in (by_name[name] for name in names):
        generator = generator_for(common["seed"], "guides", common["round"], proxy.name, index)
        requests.append((rgbs[proxy.name], generator))
    made = guides.many(requests) if requests else []
    seconds = round((time.perf_counter() - begin) / max(len(names), 1), 3)
    for name, guide, (_, generator) in zip(names, made, requests, strict=True):
        facts = {"seconds": seconds, "training_seconds": guides.fit_seconds, "seed": generator.initial_seed()}
        store.write_array(name, guide, facts)


def _transfer_spectra(
    transfer: SpectralTransfer,
    work: Sequence[tuple[MappedScene, int]],
    guide_paths: Mapping[str, Path],
    common: Mapping[str, Any],
    around: Surroundings,
) -> list[Entry]:
    """Estimate T_{i,j} for every guide and apply it to the proxy cube (HIR-ALIGN, Eq. 9-26)."""
    settings = {**common, "transfer": transfer.settings(), "versions": versions(TRANSFER_REVISION)}
    store = Store(around.root, "synthesised", settings)
    by_name = {_entry_name(proxy, index): proxy for proxy, index in work}

    def make_share(names: Sequence[str], finished: Finished) -> None:
        # A GPU takes neighbouring guides of equal size in one batch; those of one proxy stay together.
        share = _Share(sorted(names, key=lambda name: by_name[name].shape[1:]), by_name, guide_paths, store, around)

        def report(steps: int) -> None:
            finished(share.skipped + steps / transfer.steps)

        finished(0.0)
        begin = time.perf_counter()
        for operators in transfer.estimate_batches(share, report):
            seconds = (time.perf_counter() - begin) / len(operators)
            while operators:
                share.write(operators.pop(0), seconds)
            begin = time.perf_counter()
        finished(len(names))

    names = [_entry_name(proxy, index) for proxy, index in work]
    return complete_share("Spectral transfer", store, names, make_share, around.ranks, around.progress)


class _Share:
    """One rank's guides in the order they are transported: read when their turn comes, written when they are done.

    Attributes:
        skipped: entries that another run made in the meantime.
    """

    def __init__(
        self,
        names: Sequence[str],
        proxies: Mapping[str, MappedScene],
        guide_paths: Mapping[str, Path],
        store: Store,
        around: Surroundings,
    ) -> None:
        self.skipped = 0
        self._names, self._proxies, self._guide_paths = names, proxies, guide_paths
        self._store, self._device = store, around.device
        self._waiting: deque[tuple[str, Tensor, Tensor, Tensor]] = deque()

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield RGB pictures of proxy and guide; guides of one proxy come with the same tensor."""
        proxy: MappedScene | None = None
        for name in self._names:
            if self._store.valid(name):
                self.skipped += 1
                continue
            if self._proxies[name] is not proxy:
                proxy = self._proxies[name]
                cube = proxy.load().cube.to(self._device)
                rgb = to_rgb(cube, proxy.wavelengths).clamp(0.0, 1.0)
            guide = torch.from_numpy(np.load(self._guide_paths[name], allow_pickle=False)).to(self._device)
            self._waiting.append((name, cube, rgb, guide))
            yield rgb, guide

    def write(self, operator: TransportOperator, estimation_seconds: float) -> None:
        """Write the cube of the first guide that waits for its transport."""
        begin = time.perf_counter()
        name, cube, rgb, guide = self._waiting.popleft()
        facts = transport_facts(operator, rgb, guide)
        synthesised = operator.apply(cube)
        seconds = round(estimation_seconds + time.perf_counter() - begin, 3)
        self._store.write_array(name, synthesised, {"seconds": seconds, **facts})


def transport_facts(operator: TransportOperator, rgb: Tensor, guide: Tensor) -> dict[str, float]:
    """Return what is worth knowing about a transport.

    Args:
        operator: the transport T.
        rgb: the proxy's RGB r, `3 x H x W` in [0, 1].
        guide: `3 x H x W` in [0, 1].

    Returns:
        `psnr` (dB) of T r to the guide, `kappa` (largest eigenvalue of T'T) and `support` (mean number of proxy
        pixels a guide pixel draws from).
    """
    error = (operator.apply(rgb) - guide).square().mean().clamp(min=1e-10)
    return {
        "psnr": float(-10.0 * torch.log10(error)),
        "kappa": float(operator.kappa()),
        "support": float(operator.support().float().mean()),
    }


def by_proxy(synthesised: Sequence[Synthesised]) -> list[list[Synthesised]]:
    """Group synthesised scenes by their proxy, in order."""
    groups: dict[str, list[Synthesised]] = {}
    for one in synthesised:
        groups.setdefault(one.proxy.name, []).append(one)
    return list(groups.values())


def synthesised_quality(synthesised: Sequence[Synthesised]) -> GuideQuality | None:
    """Return alignment and diversity of all guides; None if some proxy is too small to measure them."""
    if not synthesised or min(min(one.proxy.shape[-2:]) for one in synthesised) < SMALLEST:
        return None
    return guide_quality(
        (proxy_rgb(group[0].proxy), [torch.from_numpy(np.load(one.guide, allow_pickle=False)) for one in group])
        for group in by_proxy(synthesised)
    )
