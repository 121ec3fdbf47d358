"""Pictures go to the loggers that show pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from callbacks.reporting.loggers import log_picture
from tests.callbacks.reporting.picture_loggers import BiasedLogger, BoardLogger, SilentLogger


def test_loggers_without_pictures_are_left_alone(tmp_path: Path) -> None:
    log_picture([SilentLogger()], "a", tmp_path / "missing.png", 0)


def test_a_file_or_its_pixels_as_the_logger_wants_them(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 6), np.uint8)).save(tmp_path / "a.png")
    files, board = BiasedLogger(), BoardLogger()
    log_picture([files, SilentLogger(), board], "guides/a", tmp_path / "a.png", 0)
    assert files.images == {"guides/a": ([str(tmp_path / "a.png")], 0)}
    assert board.experiment.images == {"guides/a": ((4, 6, 3), "HWC")}
