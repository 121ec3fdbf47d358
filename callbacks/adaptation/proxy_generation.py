"""Stage (i) of HIR-ALIGN: the source-trained restorer turns target observations into proxy scenes (Eq. 3)."""

import time
from typing import Any, cast

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.seed import isolate_rng
from torch import nn

from callbacks.adaptation.proxies import make_proxies
from callbacks.adaptation.restorers import BestRestorer, OtherRestorer, ProxyRestorer, SourceRestorer
from callbacks.adaptation.rounds import (
    check_rounds,
    load_round_weights,
    next_epoch,
    restart_optimizers,
    round_of,
    round_starts,
    save_round_weights,
)
from callbacks.adaptation.source_task import check_source_task
from callbacks.adaptation.stages import log_stage, target_data
from callbacks.progress import StageBar
from datamodules.scenes.scene import MappedScene
from hyperalign.errors import InputError
from hyperalign.ranks import Ranks
from hyperalign.trainers import is_trial
from lightning_modules.restorer import Adaptable, Restorer, adaptable
from lightning_modules.restorer.tiles import check_tile


class ProxyGeneration(Callback):
    """Makes the proxies when a fit starts, and again with the adapted weights at the start of every further round.

    The proxies become the DataModule's training scenes (Eq. 27); `DistributionAdaptiveSynthesis`, listed after this
    callback, adds the synthesised ones. Randomness of training is left as it was, whether the stage computes or reads.

    Args:
        store: root folder of the store, shared by all runs; on several machines it must be on a shared file system.
        rounds: number of rounds that `trainer.max_epochs` is divided into; 1 is the paper.
        restart_optimizer: whether every round starts with fresh optimisers and learning rate schedules, which are then
            the schedules of *one* round; otherwise they go on over all rounds.
        tile: side of the square tiles (observation pixels) a scene is restored in; None takes the module's own setting.
        clamp: whether the proxies are clamped to [0, 1].
        restorer: what makes the proxies: a training-free method such as `lightning_modules.WhitenedRCTV`, or one of
            `BestRestorer` (whitened RCTV for noise, the source network otherwise), `SourceRestorer` (the source
            network, also where None), `OtherRestorer` (another network with its checkpoint), `FolderRestorer` (cubes
            that another program restored), `ChainRestorer`, `MeanRestorer`
            and `FlipRestorer`. Only those in which the source network has a part change from round to round.

    Attributes:
        proxies: the current round's proxies.
        round: the current round, from 0.
    """

    def __init__(
        self,
        store: str = "runs/store",
        rounds: int = 1,
        restart_optimizer: bool = True,
        tile: int | None = None,
        clamp: bool = True,
        restorer: ProxyRestorer | nn.Module | None = None,
    ) -> None:
        if rounds < 1:
            raise InputError(f"ProxyGeneration got rounds={rounds}: give at least 1.")
        check_tile(tile, "ProxyGeneration")
        self.store = store
        self.rounds = rounds
        self.restart_optimizer = restart_optimizer
        self.tile = tile
        self.clamp = clamp
        self.restorer = OtherRestorer(restorer) if isinstance(restorer, nn.Module) else restorer or SourceRestorer()
        self.proxies: list[MappedScene] = []
        self.round = 0
        self._start_weights: str | None = None
        self._made_round: int | None = None
        self._first_epoch = 0
        self._restart_due = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Check, before anything is computed, that the fit can be adapted at all."""
        if stage != "fit":
            return
        target_data(trainer)
        check_rounds(trainer, self.rounds)
        adaptable(pl_module, "ProxyGeneration")
        self.round, self._start_weights, self._made_round = 0, None, None
        self._first_epoch, self._restart_due = 0, False

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Note with which epoch a resumed fit goes on."""
        self._first_epoch = next_epoch(checkpoint)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Make the proxies of the first round, or of the round that a checkpoint resumes."""
        self._advance(trainer, pl_module, self._first_epoch)
        self._make(trainer, pl_module)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restart the optimisers of a round that a resumed fit begins with: they were restored after on_fit_start."""
        self._restart(trainer)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Make the proxies of a round that begins with this epoch."""
        if self._made_round != self.round:
            self._make(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close a round before checkpoints are written, so that they belong to the round that comes."""
        self._advance(trainer, pl_module, trainer.current_epoch + 1)
        self._restart(trainer)

    def schedule_epochs(self, trainer: Trainer) -> int:
        """Return the epochs that a learning rate schedule lasts: those of the present round where it is restarted."""
        epochs = cast("int", trainer.max_epochs)
        if self.rounds == 1 or not self.restart_optimizer or is_trial(trainer):
            return epochs
        starts = [*round_starts(epochs, self.rounds), epochs]
        return starts[self.round + 1] - starts[self.round]

    def state_dict(self) -> dict[str, Any]:
        """Return the round and the digest of the weights it started from."""
        return {"round": self.round, "start_weights": self._start_weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the round of a checkpoint."""
        self.round, self._start_weights = state_dict["round"], state_dict["start_weights"]

    def _advance(self, trainer: Trainer, pl_module: LightningModule, epoch: int) -> None:
        """Enter the round that an epoch belongs to; called for every epoch, it acts on the first of a round only."""
        if self.rounds == 1 or is_trial(trainer):
            return
        wanted = round_of(epoch, cast("int", trainer.max_epochs), self.rounds)
        if wanted <= self.round:
            return
        weights = adaptable(pl_module, "ProxyGeneration").weights()
        self._start_weights = Ranks().first(lambda: save_round_weights(self.store, weights))
        self.round = wanted
        self._restart_due = self.restart_optimizer

    def _restart(self, trainer: Trainer) -> None:
        if self._restart_due:
            restart_optimizers(trainer)
        self._restart_due = False

    def _make(self, trainer: Trainer, pl_module: LightningModule) -> None:
        begin, ranks, data = time.perf_counter(), Ranks(), target_data(trainer)
        with isolate_rng(), StageBar.of(trainer) as bar:
            with ranks.meeting():
                module = adaptable(pl_module, "ProxyGeneration")
                if isinstance(self.restorer, BestRestorer):
                    self.restorer.choose(data.degradation, pl_module)
                self.restorer.bind(module, self._source(module) if self.restorer.uses_source else None)
                observations = data.observations()
            if ranks.rank == 0 and self.round == 0:
                check_source_task(getattr(pl_module, "source_task", None), data.degradation)
            self.proxies = make_proxies(
                self.restorer,
                observations,
                self.store,
                degradation=data.degradation.settings(),
                tile=self.tile,
                clamp=self.clamp,
                ranks=ranks,
                progress=bar,
                scale=data.degradation.scale,
            )
        data.use_training_scenes(self.proxies)
        self._made_round = self.round
        log_stage(trainer, "proxies", {"round": self.round, "seconds": time.perf_counter() - begin})

    def _source(self, module: Adaptable) -> Restorer | None:
        """Return the network of this round: that of the source weights, later of those the round started from."""
        if self._start_weights is not None:
            return module.with_weights(load_round_weights(self.store, self._start_weights))
        return module.source_restorer()
