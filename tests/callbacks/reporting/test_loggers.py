"""Pictures go to the loggers that show pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch.loggers import CSVLogger, Logger
from PIL import Image

from callbacks.reporting.loggers import log_configuration, log_picture, log_table
from tests.callbacks.reporting.picture_loggers import BiasedLogger, BoardLogger, SilentLogger


def test_loggers_without_pictures_are_left_alone(tmp_path: Path) -> None:
    log_picture([SilentLogger()], "a", tmp_path / "missing.png", 0)


def test_a_file_or_its_pixels_as_the_logger_wants_them(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 6), np.uint8)).save(tmp_path / "a.png")
    files, board = BiasedLogger(), BoardLogger()
    log_picture([files, SilentLogger(), board], "guides/a", tmp_path / "a.png", 0)
    assert files.images == {"guides/a": ([str(tmp_path / "a.png")], 0)}
    assert board.experiment.images == {"guides/a": ((4, 6, 3), "HWC")}


class Comparing(Logger):
    """A logger that compares runs, as Weights & Biases does."""

    def __init__(self) -> None:
        super().__init__()
        self.settings: dict[str, Any] = {}
        self.tables: dict[str, list[list[Any]]] = {}

    @property
    def name(self) -> str:
        return "comparing"

    @property
    def version(self) -> int:
        return 0

    def log_image(self, **given: object) -> None:
        return None

    def log_table(self, key: str, columns: list[str], data: list[list[Any]]) -> None:
        self.tables[key] = [columns, *data]

    def log_hyperparams(self, params: Any, *args: object, **given: object) -> None:  # noqa: ANN401
        self.settings = params

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:  # noqa: ANN401
        return None


def test_settings_and_tables_go_to_the_loggers_that_show_them(tmp_path: Path) -> None:
    comparing = Comparing()
    loggers = [comparing, CSVLogger(str(tmp_path))]
    log_configuration(loggers, {"trainer": {"max_epochs": 3}})
    log_table(loggers, "results", ("scene", "psnr"), [("a", 30.0)])
    assert comparing.settings == {"trainer": {"max_epochs": 3}}
    assert comparing.tables == {"results": [["scene", "psnr"], ["a", 30.0]]}
    assert not list(tmp_path.rglob("hparams.yaml"))
