"""Rounds: where they begin, what they remake, and that a resumed fit equals an uninterrupted one bit for bit."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from callbacks import ProxyGeneration
from callbacks.adaptation.rounds import round_of, round_starts, save_round_weights
from callbacks.adaptation.store import StoreError
from lightning_modules import RestorationModule, weights_digest
from tests.callbacks.tiny import stages, store_files, tiny_data, tiny_module, tiny_trainer, weights_of


def test_epochs_are_divided_evenly() -> None:
    assert round_starts(6, 3) == [0, 2, 4]
    assert round_starts(7, 3) == [0, 2, 4]
    assert round_starts(8, 3) == [0, 2, 5]
    assert round_starts(0, 1) == [0]
    assert [round_of(epoch, 6, 3) for epoch in range(8)] == [0, 0, 1, 1, 2, 2, 2, 2]
    assert round_of(100, 6, 1) == 0


def test_fewer_epochs_than_rounds_is_one_sentence(tmp_path: Path) -> None:
    trainer = tiny_trainer(tmp_path, [ProxyGeneration(str(tmp_path / "store"), rounds=3)], max_epochs=2)
    with pytest.raises(ValueError, match=r"^rounds=3 needs at least as many epochs but trainer\.max_epochs is 2: set"):
        trainer.fit(tiny_module(tmp_path), datamodule=tiny_data(tmp_path))


def test_rounds_of_a_fit_measured_in_steps_is_one_sentence(tmp_path: Path) -> None:
    stage = ProxyGeneration(str(tmp_path / "store"), rounds=2)
    trainer = tiny_trainer(tmp_path, [stage], max_epochs=4, max_steps=8)
    with pytest.raises(ValueError, match=r"^rounds=2 divides the epochs of the fit, but .* max_steps: give the length"):
        trainer.fit(tiny_module(tmp_path), datamodule=tiny_data(tmp_path))


class Diary(Callback):
    """Notes, at every epoch's end, what a resumed fit must repeat."""

    def __init__(self) -> None:
        self.rounds: list[int] = []
        self.weights: list[str] = []
        self.rates: list[float] = []
        self.moments: list[int] = []
        self.proxies: list[Tensor] = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int) -> None:
        if batch_idx == 0:
            stage = trainer.callbacks[0]  # type: ignore[attr-defined]
            self.rounds.append(stage.round)
            self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])
            self.moments.append(len(trainer.optimizers[0].state))
            self.proxies.append(stage.proxies[0].load().cube)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.weights.append(weights_digest(pl_module.network))  # type: ignore[arg-type]


def adapt(
    folder: Path, *, rounds: int = 2, epochs: int = 4, resume: Path | None = None, restart: bool = True
) -> tuple[RestorationModule, Diary, ProxyGeneration]:
    """Adapt with both stages; checkpoints of every epoch and of every second step lie in ``folder/checkpoints``."""
    diary, module = Diary(), tiny_module(folder)
    proxy, synthesis = stages(folder / "store", rounds=rounds, ratio=1)
    assert isinstance(proxy, ProxyGeneration)
    proxy.restart_optimizer = restart
    where = folder / "checkpoints"
    keep = [
        ModelCheckpoint(where, "epoch{epoch}", auto_insert_metric_name=False, save_top_k=-1, every_n_epochs=1),
        ModelCheckpoint(where, "step{step}", auto_insert_metric_name=False, save_top_k=-1, every_n_train_steps=2),
    ]
    trainer = tiny_trainer(folder, [proxy, synthesis, diary, *keep], max_epochs=epochs, enable_checkpointing=True)
    trainer.fit(module, datamodule=tiny_data(folder), ckpt_path=resume)
    return module, diary, proxy


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RestorationModule, Diary]:
    folder = tmp_path_factory.mktemp("whole")
    module, diary, _ = adapt(folder)
    return folder, module, diary


def test_a_round_begins_with_new_proxies_and_a_new_schedule(
    uninterrupted: tuple[Path, RestorationModule, Diary],
) -> None:
    folder, _, diary = uninterrupted
    assert diary.rounds == [0, 0, 1, 1]
    # Four steps an epoch at a decay of 0.9: the second round starts again at 1e-2, without moments.
    assert diary.rates == pytest.approx([1e-2, 1e-2 * 0.9**4, 1e-2, 1e-2 * 0.9**4])
    assert diary.moments == [0, 2, 0, 2]
    assert torch.equal(diary.proxies[0], diary.proxies[1])
    assert torch.equal(diary.proxies[2], diary.proxies[3])
    assert not torch.equal(diary.proxies[1], diary.proxies[2])
    files = store_files(folder / "store")
    assert sum(name.startswith("proxies-") for name in files) == 6
    assert sum(name.startswith("synthesised-") for name in files) == 6


def test_the_second_rounds_proxies_come_from_the_weights_it_started_with(
    uninterrupted: tuple[Path, RestorationModule, Diary],
) -> None:
    folder, _, diary = uninterrupted
    (weights,) = (folder / "store" / "weights").glob("*.pt")
    assert weights.name.startswith(diary.weights[1])
    network = tiny_module(folder).network
    network.load_state_dict(torch.load(weights, weights_only=True))
    observation = tiny_data(folder).observations()[0].cube
    with torch.no_grad():
        expected = network(observation[None])[0].clamp(0, 1)
    torch.testing.assert_close(diary.proxies[2], expected, rtol=0, atol=0)


# Four steps an epoch, two epochs a round: checkpoints within and at the end of a round, written by the epoch's end and
# by its last step.
@pytest.mark.parametrize(
    ("name", "store"),
    [
        *((name, "kept") for name in ("epoch0", "epoch1", "epoch2", "step2", "step4", "step6", "step8", "step12")),
        *((name, "only the start weights") for name in ("epoch1", "epoch2")),
    ],
)
def test_resumed_equals_uninterrupted(
    uninterrupted: tuple[Path, RestorationModule, Diary], tmp_path: Path, name: str, store: str
) -> None:
    whole, expected, _ = uninterrupted
    shutil.copytree(whole / "store", tmp_path / "store")
    if store != "kept":
        for folder in (tmp_path / "store").iterdir():
            if folder.name != "weights":
                shutil.rmtree(folder)
    module, _, proxy = adapt(tmp_path, resume=whole / "checkpoints" / f"{name}.ckpt")
    assert proxy.round == 1
    assert torch.equal(weights_of(module), weights_of(expected))
    assert set(store_files(tmp_path / "store")) <= set(store_files(whole / "store"))


def test_optimisers_may_go_on_over_rounds(tmp_path: Path) -> None:
    _, diary, _ = adapt(tmp_path, epochs=2, restart=False)
    assert diary.rounds == [0, 1]
    assert diary.rates == pytest.approx([1e-2, 1e-2 * 0.9**4])
    assert diary.moments == [0, 2]


def test_resuming_without_the_rounds_weights_is_one_sentence(
    uninterrupted: tuple[Path, RestorationModule, Diary], tmp_path: Path
) -> None:
    whole, _, _ = uninterrupted
    with pytest.raises(
        StoreError, match=r"^The weights that the resumed round began with are not in the store .*: set the store arg"
    ):
        adapt(tmp_path, resume=whole / "checkpoints" / "epoch2.ckpt")


def test_a_callback_used_for_a_second_fit_starts_with_the_first_round(tmp_path: Path) -> None:
    proxy, synthesis = stages(tmp_path / "store", rounds=2, ratio=1)
    assert isinstance(proxy, ProxyGeneration)
    for _ in range(2):
        diary = Diary()
        trainer = tiny_trainer(tmp_path, [proxy, synthesis, diary], max_epochs=2)
        trainer.fit(tiny_module(tmp_path), datamodule=tiny_data(tmp_path))
        assert diary.rounds == [0, 1]


def test_round_weights_are_written_once(tmp_path: Path) -> None:
    network = tiny_module(tmp_path).network
    digest = save_round_weights(tmp_path / "store", network.state_dict())
    (path,) = (tmp_path / "store").rglob("*.pt")
    written = path.stat().st_mtime_ns
    assert save_round_weights(tmp_path / "store", network.state_dict()) == digest == weights_digest(network)
    assert path.stat().st_mtime_ns == written


def test_a_try_run_of_one_batch_needs_no_rounds(tmp_path: Path) -> None:
    stage = ProxyGeneration(str(tmp_path / "store"), rounds=3)
    trainer = tiny_trainer(tmp_path, [stage], fast_dev_run=True)
    trainer.fit(tiny_module(tmp_path), datamodule=tiny_data(tmp_path))
    assert stage.round == 0
