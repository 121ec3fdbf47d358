"""Stage (ii) of HIR-ALIGN: guides from every proxy's RGB, and the proxy's spectra carried over to each guide."""

import logging
import time
from statistics import fmean
from typing import Literal, get_args

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities.seed import isolate_rng

from callbacks.adaptation.proxy_generation import ProxyGeneration
from callbacks.adaptation.stages import log_stage, target_data
from callbacks.adaptation.synthesised_scenes import Synthesised, synthesise, synthesised_quality
from callbacks.adaptation.training_scenes import AfterProxies
from callbacks.guides import Guides
from callbacks.guides.quality import ALIGNED
from callbacks.progress import StageBar
from callbacks.transfer import SpectralTransfer
from datamodules.scenes.scene import MappedScene
from hyperalign.ranks import Ranks

log = logging.getLogger(__name__)
Training = Literal["proxy_only", "generated_only", "mixed"]


class DistributionAdaptiveSynthesis(AfterProxies):
    """Synthesises target-aligned scenes from the proxies when a fit, and every further round, starts.

    Listed after `callbacks.ProxyGeneration`, whose proxies, store and rounds it uses. The DataModule then trains
    on the set that `training` names, every scene of T_align (Eq. 29) being equally likely.

    Args:
        guides: where RGB guides come from.
        transfer: the spectral transfer; None is the paper's settings.
        ratio: guides per proxy (the paper's M, 3).
        training: the training set of Table VI: `proxy_only` (nothing is synthesised),
            `generated_only` or `mixed`.

    Attributes:
        synthesised: the current round's synthesised scenes, for pictures and reports.
    """

    def __init__(
        self,
        guides: Guides,
        transfer: SpectralTransfer | None = None,
        ratio: int = 3,
        training: Training = "mixed",
    ) -> None:
        super().__init__(ratio, training, get_args(Training), "guide")
        self.guides = guides
        self.transfer = SpectralTransfer() if transfer is None else transfer
        self.training = training
        self.synthesised: list[Synthesised] = []

    @property
    def made_scenes(self) -> list[MappedScene]:
        """The current round's synthesised scenes, proxy by proxy."""
        return [one.scene for one in self.synthesised]

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Find out, before any proxy is made, whether what the guides need is there."""
        super().setup(trainer, pl_module, stage)
        if stage == "fit" and self.training != "proxy_only":
            with Ranks().meeting():
                self.guides.settings()

    def make_scenes(self, trainer: Trainer, pl_module: LightningModule, stage: ProxyGeneration) -> None:
        """Synthesise from the proxies of a round."""
        if self.training == "proxy_only":
            return
        begin = time.perf_counter()
        with isolate_rng(), StageBar.of(trainer) as bar:
            self.synthesised = synthesise(
                self.guides,
                self.transfer,
                stage.proxies,
                stage.store,
                ratio=self.ratio,
                seed=target_data(trainer).seed,
                round_number=stage.round,
                device=pl_module.device,
                progress=bar,
            )
        facts = {key: fmean(one.metadata[key] for one in self.synthesised) for key in ("psnr", "kappa", "support")}
        facts = {"round": stage.round, "seconds": time.perf_counter() - begin, **facts}
        log_stage(trainer, "synthesis", facts | (self._quality_facts() if trainer.is_global_zero else {}))

    def _quality_facts(self) -> dict[str, float]:
        """Return how well the guides serve, and warn where they hardly can."""
        quality = synthesised_quality(self.synthesised)
        if quality is None:
            return {}
        if not quality.aligned:
            log.warning(
                "The guides of %s have a mean SSIM of %.2f to their proxies, where %g to %g is usual: %s.",
                type(self.guides).__name__,
                quality.alignment,
                *ALIGNED,
                "they show another scene, so change less" if quality.alignment < ALIGNED[0] else "they add little",
            )
        return {"alignment": quality.alignment, "diversity": quality.diversity}
