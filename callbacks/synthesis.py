"""Stage (ii) of HIR-ALIGN: guides from every proxy's RGB, and the proxy's spectra carried over to each guide."""

import time
from statistics import fmean
from typing import Literal, get_args

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.seed import isolate_rng

from callbacks.guides import Guides
from callbacks.progress import StageBar
from callbacks.proxy import ProxyGeneration
from callbacks.stages import log_stage, target_data
from callbacks.synthesised import Synthesised, synthesise
from callbacks.transfer import SpectralTransfer
from datamodules.scenes.scene import MappedScene

Training = Literal["proxy_only", "generated_only", "mixed"]


class DistributionAdaptiveSynthesis(Callback):
    """Synthesises target-aligned scenes from the proxies when a fit, and every further round, starts.

    Listed after :class:`callbacks.ProxyGeneration`, whose proxies, store and rounds it uses. The DataModule then trains
    on the set that ``training`` names, every scene of T_align (Eq. 29) being equally likely.

    Args:
        guides: Where RGB guides come from.
        transfer: The spectral transfer; None is the paper's settings.
        ratio: Guides per proxy (the paper's M, 3).
        training: The training set of Table VI: ``proxy_only`` (nothing is synthesised),
            ``generated_only`` or ``mixed``.

    Attributes:
        synthesised: The current round's synthesised scenes, for pictures and reports.
    """

    def __init__(
        self,
        guides: Guides,
        transfer: SpectralTransfer | None = None,
        ratio: int = 3,
        training: Training = "mixed",
    ) -> None:
        if ratio < 1:
            raise ValueError(f"DistributionAdaptiveSynthesis got ratio={ratio}: give at least 1 guide per proxy.")
        if training not in get_args(Training):
            choices = ", ".join(get_args(Training))
            raise ValueError(f"DistributionAdaptiveSynthesis got training={training!r}: choose one of {choices}.")
        self.guides = guides
        self.transfer = SpectralTransfer() if transfer is None else transfer
        self.ratio = ratio
        self.training = training
        self.synthesised: list[Synthesised] = []
        self._made_from: list[MappedScene] | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Check, before anything is computed, that the proxies will be there."""
        if stage == "fit":
            self._proxy_generation(trainer)
            self._made_from = None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Synthesise from the proxies of the round that starts or is resumed."""
        self._make(trainer, pl_module)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Synthesise again when the proxies were made again for a new round."""
        if self._proxy_generation(trainer).proxies is not self._made_from:
            self._make(trainer, pl_module)

    def _make(self, trainer: Trainer, pl_module: LightningModule) -> None:
        stage = self._proxy_generation(trainer)
        self._made_from = stage.proxies
        if self.training == "proxy_only":
            return
        begin, data = time.perf_counter(), target_data(trainer)
        with isolate_rng(), StageBar.of(trainer) as bar:
            self.synthesised = synthesise(
                self.guides,
                self.transfer,
                stage.proxies,
                stage.store,
                ratio=self.ratio,
                seed=data.seed,
                round_number=stage.round,
                device=pl_module.device,
                progress=bar,
            )
        generated = [one.scene for one in self.synthesised]
        data.use_training_scenes([*stage.proxies, *generated] if self.training == "mixed" else generated)
        facts = {key: fmean(one.metadata[key] for one in self.synthesised) for key in ("psnr", "kappa", "support")}
        log_stage(trainer, "synthesis", {"round": stage.round, "seconds": time.perf_counter() - begin, **facts})

    def _proxy_generation(self, trainer: Trainer) -> ProxyGeneration:
        """Return the callback that makes the proxies, which must stand before this one."""
        callbacks = trainer.callbacks  # type: ignore[attr-defined]
        for callback in callbacks[: callbacks.index(self)]:
            if isinstance(callback, ProxyGeneration):
                return callback
        raise ValueError(
            "DistributionAdaptiveSynthesis needs ProxyGeneration before it: list callbacks.ProxyGeneration, "
            "then callbacks.DistributionAdaptiveSynthesis, in trainer.callbacks."
        )
