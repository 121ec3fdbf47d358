"""What the callbacks that turn proxies into more training scenes share: their place in a fit and its rounds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from lightning.pytorch import Callback, LightningModule, Trainer

from callbacks.adaptation.proxy_generation import ProxyGeneration
from callbacks.adaptation.stages import target_data
from datamodules.scenes.scene import MappedScene
from hyperalign.errors import InputError
from hyperalign.trainers import callbacks_of


class AfterProxies(Callback, ABC):
    """Makes scenes when a fit, and every further round, starts: after `callbacks.ProxyGeneration`, listed first.

    Subclasses write `make_scenes` and `made_scenes`.

    Args:
        ratio: scenes per proxy.
        training: the set that is trained on: with the proxies if it is `mixed`.
        choices: what `training` may be.
        unit: what there is `ratio` of, for the sentence that refuses 0.

    Raises:
        ValueError: for a ratio below 1 or another training set.
    """

    def __init__(self, ratio: int, training: str, choices: Sequence[str], unit: str) -> None:
        name = type(self).__name__
        if ratio < 1:
            raise InputError(f"{name} got ratio={ratio}: give at least 1 {unit} per proxy.")
        if training not in choices:
            raise InputError(f"{name} got training={training!r}: choose one of {', '.join(choices)}.")
        self.ratio = ratio
        self._with_proxies = training == "mixed"
        self._made_from: list[MappedScene] | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Check, before anything is computed, that the proxies will be there."""
        if stage == "fit":
            self._proxy_generation(trainer)
            self._made_from = None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Make scenes from the proxies of the round that starts or is resumed."""
        self._make(trainer, pl_module)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Make scenes again when the proxies were made again for a new round."""
        if self._proxy_generation(trainer).proxies is not self._made_from:
            self._make(trainer, pl_module)

    @abstractmethod
    def make_scenes(self, trainer: Trainer, pl_module: LightningModule, stage: ProxyGeneration) -> None:
        """Make the scenes of a round, then found in `made_scenes`; none leaves training to the proxies.

        Args:
            trainer: the fit's Trainer.
            pl_module: the module that is adapted.
            stage: the callback that holds the round, its proxies and the store.
        """

    @property
    @abstractmethod
    def made_scenes(self) -> list[MappedScene]:
        """The current round's scenes beside the proxies, proxy by proxy; none where nothing is made."""

    def _make(self, trainer: Trainer, pl_module: LightningModule) -> None:
        stage = self._proxy_generation(trainer)
        self._made_from = stage.proxies
        self.make_scenes(trainer, pl_module, stage)
        if made := self.made_scenes:
            target_data(trainer).use_training_scenes([*stage.proxies, *made] if self._with_proxies else made)

    def _proxy_generation(self, trainer: Trainer) -> ProxyGeneration:
        """Return the callback that makes the proxies, which must stand before this one."""
        callbacks = callbacks_of(trainer)
        for callback in callbacks[: callbacks.index(self)]:
            if isinstance(callback, ProxyGeneration):
                return callback
        name = type(self).__name__
        raise InputError(
            f"{name} needs ProxyGeneration before it: list callbacks.ProxyGeneration, then callbacks.{name}, in "
            "trainer.callbacks."
        )
