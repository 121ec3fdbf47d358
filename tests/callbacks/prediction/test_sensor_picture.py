"""The drawing of estimated sensors is a picture with both panels."""

from pathlib import Path

import torch
from PIL import Image

from callbacks.prediction.sensor_picture import save_sensors
from datamodules.pairs.blur_estimate import Blur
from datamodules.pairs.sensors import SensorEstimate


def test_a_picture_is_drawn(tmp_path: Path) -> None:
    estimate = SensorEstimate(torch.eye(2, 3), torch.zeros(2), Blur.block_mean(4), (0.25, -1.0), 0.01)
    save_sensors(tmp_path / "x.png", estimate, (500.0, 550.0, 600.0))
    with Image.open(tmp_path / "x.png") as picture:
        assert min(picture.size) > 200
        assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 20
    assert "shift +0.25 rows and -1.00 columns" in estimate.described()
