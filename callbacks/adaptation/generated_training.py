"""Training on generated cubes instead of synthesised ones: as in HIR-ALIGN's Table IX."""

from __future__ import annotations

import time
from typing import Literal, get_args

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities.seed import isolate_rng

from callbacks.adaptation.generated_scenes import Generated, check_generator_files, generate_cubes
from callbacks.adaptation.proxy_generation import ProxyGeneration
from callbacks.adaptation.stages import log_stage, target_data
from callbacks.adaptation.training_scenes import AfterProxies
from callbacks.generators import CubeGenerator
from callbacks.progress import StageBar
from datamodules.scenes.scene import MappedScene
from hyperalign.ranks import Ranks

GeneratedSet = Literal["generated_only", "mixed"]


class GeneratedTraining(AfterProxies):
    """Adds generated cubes to the proxies when a fit, and every further round, starts (HIR-ALIGN, section IV-G4).

    The counterpart of `callbacks.DistributionAdaptiveSynthesis`, in its place: no guides, no spectral transfer;
    the generator brings layout and spectra, and only as well aligned to the target as it is. Listed after
    `callbacks.ProxyGeneration`, whose proxies, store and rounds it uses. Scenes are equally likely.

    Args:
        generator: where the cubes come from, for example `callbacks.ExternalCubes`.
        ratio: cubes per proxy (3, as many as the paper has guides).
        training: the training set: `mixed` with the proxies, or `generated_only`.

    Attributes:
        generated: the current round's generated cubes, proxy by proxy, for pictures and reports.
    """

    def __init__(self, generator: CubeGenerator, ratio: int = 3, training: GeneratedSet = "mixed") -> None:
        super().__init__(ratio, training, get_args(GeneratedSet), "cube")
        self.generator = generator
        self.training = training
        self.generated: list[Generated] = []

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Check, before anything is computed, that proxies will be there and that no clean target is copied."""
        super().setup(trainer, pl_module, stage)
        if stage == "fit":
            with Ranks().meeting():
                check_generator_files(self.generator, target_data(trainer))
                self.generator.settings()  # finds out whether its weights are there, and keeps their digests

    @property
    def made_scenes(self) -> list[MappedScene]:
        """The current round's generated scenes, proxy by proxy."""
        return [one.scene for one in self.generated]

    def make_scenes(self, trainer: Trainer, pl_module: LightningModule, stage: ProxyGeneration) -> None:
        """Ask the generator for the cubes of a round."""
        begin, data = time.perf_counter(), target_data(trainer)
        with isolate_rng(), StageBar.of(trainer) as bar:
            self.generated = generate_cubes(
                self.generator,
                stage.proxies,
                stage.store,
                ratio=self.ratio,
                seed=data.seed,
                round_number=stage.round,
                smallest=data.patch_size,
                device=pl_module.device,
                progress=bar,
            )
        # The finetuning that follows needs the memory.
        self.generator.release()
        facts = {"round": stage.round, "seconds": time.perf_counter() - begin, "cubes": len(self.generated)}
        log_stage(trainer, "generation", facts)
