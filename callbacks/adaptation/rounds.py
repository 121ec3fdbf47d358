"""Rounds of adaptation: the proxies and guides are made again with the adapted weights and finetuning starts anew.

One round is HIR-ALIGN as published; more rounds bootstrap the proxies. The epochs of a fit are divided evenly over the
rounds. The weights a round starts from are kept in the store: they alone make that round's proxies, so a fit resumed in
the middle of the round uses the same ones and never half-adapted weights.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from torch import Tensor

from callbacks.adaptation.store import Store, StoreError
from hyperalign.errors import InputError
from hyperalign.trainers import is_trial
from lightning_modules.checkpoints import weights_digest

WEIGHTS_STAGE = "weights"


def round_starts(max_epochs: int, rounds: int) -> list[int]:
    """Return the first epoch of every round, the epochs being divided as evenly as integers allow.

    Raises:
        ValueError: if there are fewer epochs than rounds or no fixed number of epochs.
    """
    if rounds > 1 and max_epochs < rounds:
        raise InputError(
            f"rounds={rounds} needs at least as many epochs but trainer.max_epochs is {max_epochs}: "
            "set trainer.max_epochs to a multiple of rounds."
        )
    return [index * max_epochs // rounds for index in range(rounds)]


def round_of(epoch: int, max_epochs: int, rounds: int) -> int:
    """Return the round (from 0) that an epoch belongs to; epochs beyond the last one belong to the last round."""
    return sum(start <= epoch for start in round_starts(max_epochs, rounds)[1:])


def next_epoch(checkpoint: Mapping[str, Any]) -> int:
    """Return the epoch that a fit resumed from a Lightning checkpoint goes on with.

    A checkpoint written after an epoch's last step but before the epoch's end belongs to the next epoch: Lightning then
    goes on there without calling the hooks of that epoch's end or of the next one's start.
    """
    loop = checkpoint.get("loops", {}).get("fit_loop", {})
    if "epoch_progress" not in loop:
        return 0
    epoch = loop["epoch_progress"]["current"]
    last = loop["epoch_loop.batch_progress"]["is_last_batch"] and epoch["ready"] > epoch["processed"]
    return int(epoch["processed"]) + int(last)


def check_rounds(trainer: Trainer, rounds: int) -> None:
    """Check that the Trainer's length can be divided into rounds.

    Raises:
        ValueError: if the length is given in steps, is unlimited, or has fewer epochs than rounds.
    """
    if rounds == 1 or is_trial(trainer):
        return
    if trainer.max_steps != -1 or trainer.max_epochs is None:
        raise InputError(
            f"rounds={rounds} divides the epochs of the fit, but the Trainer's length is given by max_steps: "
            "give the length as trainer.max_epochs alone."
        )
    round_starts(trainer.max_epochs, rounds)


def save_round_weights(root: str | Path, weights: Mapping[str, Tensor]) -> str:
    """Keep the weights a round starts from and return their digest, by which they are found again.

    Raises:
        StoreError: if the store is unwritable or full.
    """
    digest = weights_digest(weights)
    store = Store(root, WEIGHTS_STAGE)
    if not store.valid(digest):
        store.write_weights(digest, dict(weights))
    return digest


def load_round_weights(root: str | Path, digest: str) -> dict[str, Tensor]:
    """Return the weights kept by `save_round_weights`.

    Raises:
        StoreError: if they are no longer in the store.
    """
    try:
        return Store(root, WEIGHTS_STAGE).read_weights(digest)
    except StoreError as error:
        raise StoreError(
            f"The weights that the resumed round began with are not in the store {root}: "
            "set the store argument of ProxyGeneration to the first run's folder, or fit again without ckpt_path."
        ) from error


def restart_optimizers(trainer: Trainer) -> None:
    """Give the module fresh optimisers and learning rate schedules, as at the start of a fit."""
    trainer.strategy.setup_optimizers(trainer)
