"""Measures, in a fit, what HIR-ALIGN's theory (section III-D) speaks of: coverage, perturbation, overlap, views."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor

from callbacks.adaptation.proxy_generation import ProxyGeneration
from callbacks.adaptation.stages import log_stage, target_data
from callbacks.adaptation.synthesis import DistributionAdaptiveSynthesis
from callbacks.reporting.diagnostics.risk_bound import RiskBound, perturbation_bounds, share_of
from callbacks.reporting.diagnostics.wasserstein import effective_number, sinkhorn_divergence, sliced_distance
from datamodules.scenes.scene import MappedScene
from datamodules.target import AdaptationTarget
from hyperalign.files import write_text
from hyperalign.folders import run_folder
from hyperalign.ranks import Ranks
from hyperalign.seeding import generator_for
from hyperalign.trainers import callbacks_of

PATCH = 3
"""Side of the patches whose distribution is compared: spectra with their neighbours, which shuffling destroys."""

VIEW = 8
"""Side to which scenes are brought to tell views apart."""


class TheoryDiagnostics(Callback):
    """Log the measurable terms of HIR-ALIGN's bound whenever scenes were synthesised, and keep them as `theory.json`.

    Distances are sliced 1-Wasserstein distances, and Sinkhorn divergences, of patches of 3 x 3 pixels and all bands.
    Observations are compared with proxies, generated scenes and their mixture degraded again by the task; where clean
    test scenes are known (to be looked at, never trained on), the terms of Eq. 36 to 44 and 51 to 54 are measured too,
    with L = L_D = 1: the paper's constants cannot be known, so terms can be compared and their sum is no risk.

    Args:
        folder: where `theory.json` goes; `theory/` in the run's log folder when None.
        patches: number drawn of each set.
        seed: of places and directions.
        clean: whether clean test scenes are looked at.
    """

    def __init__(self, folder: str | None = None, patches: int = 512, seed: int = 0, clean: bool = True) -> None:
        self.folder = folder
        self.patches = patches
        self.seed = seed
        self.clean = clean
        self._measured: object = None

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure a round's scenes when it begins."""
        stages = {type(one): one for one in callbacks_of(trainer)}
        proxy, stage = stages.get(ProxyGeneration), stages.get(DistributionAdaptiveSynthesis)
        if not isinstance(proxy, ProxyGeneration) or not isinstance(stage, DistributionAdaptiveSynthesis):
            return
        if not stage.synthesised or proxy.proxies is self._measured:
            return
        self._measured = proxy.proxies
        folder = Path(self.folder) if self.folder else run_folder(trainer) / "theory"
        with Ranks().meeting(), isolate_rng():
            if not trainer.is_global_zero:
                return
            facts = self.facts(target_data(trainer), proxy.proxies, stage)
            write_text(folder / f"theory_round_{proxy.round + 1}.json", json.dumps(facts, indent=1) + "\n")
            log_stage(trainer, "theory", {"round": proxy.round, **facts})

    def facts(
        self, data: AdaptationTarget, proxies: Sequence[MappedScene], stage: DistributionAdaptiveSynthesis
    ) -> dict[str, float]:
        """Return the terms by name."""
        made = [one.scene for one in stage.synthesised]
        kappa = max(float(one.metadata["kappa"]) for one in stage.synthesised)
        support = [float(one.metadata["support"]) for one in stage.synthesised]
        facts = {"kappa": kappa, "support": sum(support) / len(support)}
        sets = {"proxy": list(proxies), "generated": made, "mixed": [*proxies, *made]}
        for name, scenes in sets.items():
            facts[f"views_{name}"] = effective_number(torch.stack([_view(scene.load().cube) for scene in scenes]))
        observed = self._patches({one.name: one.cube for one in data.observations()})
        for name, scenes in sets.items():
            degraded = {scene.name: self._degraded(data, scene) for scene in scenes}
            facts |= self._distances(f"observed_{name}", self._patches(degraded), observed)
        clean = {scene.name: scene for scene in data.clean_scenes()} if self.clean else {}
        if clean and all(proxy.name in clean for proxy in proxies):
            facts |= self._clean_facts(clean, proxies, made, kappa, stage.ratio)
        return facts

    def _clean_facts(
        self,
        clean: Mapping[str, MappedScene],
        proxies: Sequence[MappedScene],
        made: Sequence[MappedScene],
        kappa: float,
        ratio: int,
    ) -> dict[str, float]:
        target = self._patches({name: scene.load().cube for name, scene in clean.items()})
        observed = self._patches({proxy.name: clean[proxy.name].load().cube for proxy in proxies})
        parts = {"proxy": self._patches({one.name: one.load().cube for one in proxies})}
        parts["generated"] = self._patches({one.name: one.load().cube for one in made})
        shuffled = self._patches({one.name: self._shuffled(one) for one in proxies})
        facts = {"coverage_proxy": sliced_distance(target, observed, self.seed)}
        facts |= {f"coverage_{name}_as_made": sliced_distance(target, one, self.seed) for name, one in parts.items()}
        facts["coverage_shuffled"] = sliced_distance(target, shuffled, self.seed)
        errors = [_error(proxy.load().cube, clean[proxy.name].load().cube) for proxy in proxies]
        facts["epsilon_p_bound"], facts["epsilon_g_bound"] = perturbation_bounds(errors, kappa, 1.0)
        facts["epsilon_p"] = sliced_distance(observed, parts["proxy"], self.seed)
        # What is generated is compared as it was made, so that its perturbation is inside its coverage already.
        bound = RiskBound(facts["coverage_proxy"], facts["coverage_generated_as_made"], facts["epsilon_p"], 0.0)
        for name, share in (("proxy", 0.0), ("generated", 1.0), ("mixed", share_of(ratio))):
            facts[f"bound_{name}"] = bound.total(share)
        return facts

    def _distances(self, name: str, points: Tensor, reference: Tensor) -> dict[str, float]:
        return {
            f"{name}_sliced": sliced_distance(points, reference, self.seed),
            f"{name}_sinkhorn": sinkhorn_divergence(points, reference),
        }

    def _degraded(self, data: AdaptationTarget, scene: MappedScene) -> Tensor:
        return data.degradation(scene.load().cube, generator_for(self.seed, "theory", scene.name))

    def _shuffled(self, scene: MappedScene) -> Tensor:
        """Return a proxy with its pixels in any order: what random rearranging makes of it (Eq. 54)."""
        cube = scene.load().cube
        order = torch.randperm(cube[0].numel(), generator=generator_for(self.seed, "shuffled", scene.name))
        return cube.flatten(1)[:, order].reshape(cube.shape)

    def _patches(self, cubes: Mapping[str, Tensor]) -> Tensor:
        """Draw patches at random places, divided evenly over the cubes: `N x (C * 9)`."""
        drawn = []
        for place, (name, cube) in enumerate(cubes.items()):
            count = self.patches // len(cubes) + (place < self.patches % len(cubes))
            windows = torch.nan_to_num(cube.float()).unfold(1, PATCH, 1).unfold(2, PATCH, 1)
            rows, columns = windows.shape[1:3]
            generator = generator_for(self.seed, "theory patches", name)
            picked = torch.randint(rows * columns, (count,), generator=generator)
            drawn.append(windows.flatten(1, 2)[:, picked].transpose(0, 1).flatten(1))
        return torch.cat(drawn)


def _view(cube: Tensor) -> Tensor:
    small = torch.nn.functional.adaptive_avg_pool2d(torch.nan_to_num(cube.float())[None], VIEW)
    return small.flatten()


def _error(proxy: Tensor, clean: Tensor) -> float:
    """Return the proxy's error as a root mean square, so that scenes of any size can be compared."""
    return float((proxy - clean).square().mean().sqrt())
