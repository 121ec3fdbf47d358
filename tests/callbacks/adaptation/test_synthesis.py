"""Stage (ii): reproducible guides, spectra of the proxy, and the three training sets of Table VI."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from torch import Tensor

from callbacks import DistributionAdaptiveSynthesis, PhotometricGuides, ProxyGeneration
from callbacks.adaptation.synthesis import Training
from datamodules import MappedScene
from hyperalign.errors import MissingFileError
from tests.callbacks.tiny import (
    stages,
    store_files,
    tiny_data,
    tiny_module,
    tiny_trainer,
    tiny_transfer,
)


def test_constructor_refuses_impossible_settings() -> None:
    with pytest.raises(ValueError, match=r"^DistributionAdaptiveSynthesis got ratio=0: give at least 1 guide"):
        DistributionAdaptiveSynthesis(PhotometricGuides(), ratio=0)
    wrong: Any = "both"
    with pytest.raises(ValueError, match=r"got training='both': choose one of proxy_only, generated_only, mixed\.$"):
        DistributionAdaptiveSynthesis(PhotometricGuides(), training=wrong)


@pytest.mark.parametrize(
    ("training", "proxy_count", "generated_count"),
    [("proxy_only", 3, 0), ("generated_only", 0, 6), ("mixed", 3, 6)],
)
def test_training_set_is_the_one_of_table_vi(
    tmp_path: Path, training: Training, proxy_count: int, generated_count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, used = tiny_data(tmp_path, patches_per_epoch=4), []
    original = data.use_training_scenes

    def spy(scenes: Sequence[MappedScene], weights: Sequence[float] | None = None) -> None:
        used.append([scene.name for scene in scenes])
        # Every sample of T_align is equally likely (Eq. 29, 30).
        assert weights is None or len(set(weights)) == 1
        original(scenes, weights)

    monkeypatch.setattr(data, "use_training_scenes", spy)
    callbacks = stages(tmp_path / "store", training=training)
    tiny_trainer(tmp_path, callbacks).fit(tiny_module(tmp_path), datamodule=data)
    final = used[-1]
    assert sum("guide" not in name for name in final) == proxy_count
    assert sum("guide" in name for name in final) == generated_count
    kinds = {path.split("-")[0] for path in store_files(tmp_path / "store")}
    assert kinds == ({"proxies"} if training == "proxy_only" else {"proxies", "guides", "synthesised"})


def test_stages_tell_loggers_what_they_reached(tmp_path: Path) -> None:
    from lightning.pytorch.loggers import CSVLogger

    callbacks = stages(tmp_path / "store")
    logger = CSVLogger(tmp_path)
    trainer = tiny_trainer(tmp_path, callbacks, logger=logger)
    trainer.fit(tiny_module(tmp_path), datamodule=tiny_data(tmp_path, patches_per_epoch=4))
    rows = (Path(logger.log_dir) / "metrics.csv").read_text()
    facts = ("seconds", "psnr", "kappa", "support", "alignment", "diversity")
    for name in ("proxies/seconds", *(f"synthesis/{fact}" for fact in facts)):
        assert name in rows.splitlines()[0]
    stage = callbacks[1]
    assert isinstance(stage, DistributionAdaptiveSynthesis) and len(stage.synthesised) == 6
    assert isinstance(callbacks[0], ProxyGeneration)


@pytest.mark.parametrize(("strength", "warned"), [(0.0, True), (0.8, False)])
def test_guides_that_are_the_proxies_again_are_warned_of(
    tmp_path: Path, strength: float, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    same = PhotometricGuides(illumination=strength, tint=0.0, displacement=0.0, gamma=0.0)
    callbacks: list[Callback] = [
        ProxyGeneration(store=str(tmp_path / "store")),
        DistributionAdaptiveSynthesis(same, tiny_transfer(), ratio=2),
    ]
    with caplog.at_level(logging.WARNING):
        tiny_trainer(tmp_path, callbacks).fit(tiny_module(tmp_path), datamodule=tiny_data(tmp_path))
    sentence = "The guides of PhotometricGuides have a mean SSIM of 1.00 to their proxies, where 0.2 to 0.98 is usual"
    assert (sentence in caplog.text) == warned


def test_progress_bars_are_drawn_where_the_trainer_draws_its_own(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for enabled in (False, True):
        trainer = tiny_trainer(
            tmp_path, stages(tmp_path / str(enabled)), enable_progress_bar=enabled, limit_train_batches=1
        )
        trainer.fit(tiny_module(tmp_path), datamodule=tiny_data(tmp_path))
        shown = capfd.readouterr().err
        assert all((label in shown) is enabled for label in ("Proxies", "Guides", "Spectral transfer"))


class GlobalGuides(PhotometricGuides):
    """Guides whose library also draws from torch's own random stream."""

    def __call__(self, proxy_rgb: Tensor, n: int, generator: torch.Generator) -> Tensor:
        torch.rand(())
        return super().__call__(proxy_rgb, n, generator)


def test_random_stream_of_training_does_not_depend_on_whether_the_stage_computed(tmp_path: Path) -> None:
    draws = []
    for _ in range(2):
        callbacks = stages(tmp_path / "store", ratio=1)
        callbacks[1] = DistributionAdaptiveSynthesis(GlobalGuides(displacement=2), tiny_transfer(), 1)
        module = tiny_module(tmp_path)
        torch.manual_seed(7)
        trainer = tiny_trainer(tmp_path, callbacks, limit_train_batches=1)
        trainer.fit(module, datamodule=tiny_data(tmp_path))
        draws.append(torch.rand(3))
    assert torch.equal(draws[0], draws[1])


def test_guides_whose_weights_are_missing_are_noticed_before_the_proxies_are_made(tmp_path: Path) -> None:
    class Missing(PhotometricGuides):
        def settings(self) -> dict[str, object]:
            raise MissingFileError("There is no folder of weights.")

    callbacks = stages(tmp_path / "store")
    assert isinstance(callbacks[1], DistributionAdaptiveSynthesis)
    callbacks[1].guides = Missing()
    trainer = tiny_trainer(tmp_path, callbacks)
    with pytest.raises(MissingFileError, match="There is no folder of weights"):
        trainer.fit(tiny_module(tmp_path), datamodule=tiny_data(tmp_path))
    assert not (tmp_path / "store").exists()
