"""What a Trainer holds, read from a real one."""

from __future__ import annotations

from lightning.pytorch import Callback, LightningDataModule, Trainer

from hyperalign.trainers import callbacks_of, datamodule_of, is_trial


def trainer(*callbacks: Callback, fast_dev_run: bool | int = False) -> Trainer:
    return Trainer(
        accelerator="cpu",
        callbacks=list(callbacks),
        fast_dev_run=fast_dev_run,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def test_the_datamodule_is_the_trainers_own_and_none_before_there_is_one() -> None:
    assert datamodule_of(None) is None
    one = trainer()
    assert datamodule_of(one) is None
    data = LightningDataModule()
    one.datamodule = data  # type: ignore[attr-defined]
    assert datamodule_of(one) is data


def test_callbacks_come_in_their_order_in_a_list_of_its_own() -> None:
    first, second = Callback(), Callback()
    one = trainer(first, second)
    found = callbacks_of(one)
    assert [callback for callback in found if callback in (first, second)] == [first, second]
    found.clear()
    assert first in callbacks_of(one)


def test_a_trial_is_any_number_of_batches_of_a_fast_run() -> None:
    assert [is_trial(trainer(fast_dev_run=value)) for value in (False, True, 3)] == [False, True, True]
