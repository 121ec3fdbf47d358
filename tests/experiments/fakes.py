"""The smallest network, module, data and callback that a configuration can name."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule
from lightning.pytorch.loggers import Logger
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from hyperalign.errors import InputError


class TinyNetwork(nn.Module):
    """One linear layer over bands."""

    def __init__(self, bands: int = 4, width: int = 3) -> None:
        super().__init__()
        self.width = width
        self.layer = nn.Linear(bands, bands)

    def forward(self, cube: Tensor) -> Tensor:
        result: Tensor = self.layer(cube)
        return result


class TinyRestorer(LightningModule):
    """Learns the identity."""

    def __init__(self, network: nn.Module, learning_rate: float = 0.1, fail: bool = False) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["network"])
        self.network = network
        self.learning_rate = learning_rate
        self.fail = fail

    def training_step(self, batch: list[Tensor], index: int) -> Tensor:
        if self.fail:
            raise InputError("Scene 'balloons' has NaN values in band 3: mend or leave out this scene.")
        loss: Tensor = nn.functional.mse_loss(self.network(batch[0]), batch[0])
        return loss

    def test_step(self, batch: list[Tensor], index: int) -> None:
        self.log("test/learning_rate", self.learning_rate)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.network.parameters(), lr=self.learning_rate)


class TinyScenes(LightningDataModule):
    """Eight random pixels."""

    def __init__(self, batch_size: int = 4) -> None:
        super().__init__()
        self.batch_size = batch_size

    def train_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        return DataLoader(TensorDataset(torch.rand(8, 4)), self.batch_size)

    def test_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        return self.train_dataloader()


class TinyStage(Callback):
    """A callback with one setting."""

    def __init__(self, ratio: int = 3) -> None:
        self.ratio = ratio


class _Damaged(Dataset[Tensor]):
    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> Tensor:
        raise InputError("Scene 'cloth' is truncated: copy it again.")


class DamagedScenes(LightningDataModule):
    """Scenes that a loader's worker cannot read."""

    def train_dataloader(self) -> DataLoader[Tensor]:
        return DataLoader(_Damaged(), 4, num_workers=1)


class RemoteLogger(Logger):
    """Keeps runs elsewhere and has no folder for one of them, as Weights & Biases; shows pictures."""

    number: ClassVar[int] = 0
    shown: ClassVar[list[str]] = []

    def __init__(self) -> None:
        super().__init__()
        type(self).number += 1
        self._version = f"run{self.number}"

    @property
    def name(self) -> str:
        return "project"

    @property
    def version(self) -> str:
        return self._version

    @property
    def save_dir(self) -> str:
        return "remote"

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        pass

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        pass

    def log_image(self, key: str, images: list[str], step: int) -> None:
        self.shown.append(key)
