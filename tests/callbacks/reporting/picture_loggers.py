"""Loggers that show pictures in the two ways there are, and one that shows none."""

from __future__ import annotations

from typing import Any

import numpy as np
from lightning.pytorch.loggers import Logger
from numpy.typing import NDArray


class SilentLogger(Logger):
    """Keeps metrics, like a logger that shows no pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.metrics: dict[str, float] = {}

    @property
    def name(self) -> str:
        return "silent"

    @property
    def version(self) -> str:
        return "0"

    @property
    def save_dir(self) -> str:
        return "."

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.metrics.update(metrics)

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        pass


class BiasedLogger(SilentLogger):
    """Has `log_image`, as WandbLogger does."""

    def __init__(self) -> None:
        super().__init__()
        self.images: dict[str, tuple[list[str], int]] = {}

    def log_image(self, key: str, images: list[str], step: int) -> None:
        self.images[key] = (images, step)


class Board:
    """Has `add_image`, as TensorBoard's writer does."""

    def __init__(self) -> None:
        self.images: dict[str, tuple[tuple[int, ...], str]] = {}

    def add_image(self, tag: str, pixels: NDArray[np.uint8], global_step: int, dataformats: str) -> None:
        assert (str(pixels.dtype), global_step) == ("uint8", 0)
        self.images[tag] = (pixels.shape, dataformats)


class BoardLogger(SilentLogger):
    """Has an `experiment` with `add_image`, as TensorBoardLogger does."""

    def __init__(self) -> None:
        super().__init__()
        self.experiment = Board()
