"""Pictures of a run: what the stages made before training, and what the restorers did to the test scenes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning import Callback, LightningModule, Trainer

from callbacks.adaptation.proxy_generation import ProxyGeneration
from callbacks.adaptation.synthesis import DistributionAdaptiveSynthesis
from callbacks.adaptation.synthesised_scenes import Synthesised, by_proxy
from callbacks.reporting.drawing import enlarged, error_map, pseudo_rgb, save_panels, save_spectra
from callbacks.reporting.loggers import log_picture
from hyperalign.files import file_stem
from hyperalign.folders import run_folder
from hyperalign.rgb import Picture, displayed
from hyperalign.trainers import callbacks_of, datamodule_of
from lightning_modules.restorer.evaluation import Tested, test_set_name


class Pictures(Callback):
    """Leave PNG files to look at: proxies, guides, synthesised scenes; restored scenes, error maps, spectra.

    They are also shown in the Trainer's loggers that show pictures (Weights & Biases, TensorBoard), under `pictures/`.

    Args:
        folder: where the pictures go; `pictures/` in the run's log folder when None.
        scenes: at most this many scenes of the stages and of every test set.

    Attributes:
        root: where the pictures of a run went; None before there are any.
    """

    def __init__(self, folder: str | None = None, scenes: int = 4) -> None:
        self.folder = folder
        self.scenes = scenes
        self.root: Path | None = None
        self._drawn: int = -1
        self._test_folder = Path()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the stages of a round when it begins."""
        stages = {type(one): one for one in callbacks_of(trainer)}
        proxy, stage = stages.get(ProxyGeneration), stages.get(DistributionAdaptiveSynthesis)
        if not isinstance(proxy, ProxyGeneration) or not isinstance(stage, DistributionAdaptiveSynthesis):
            return
        if not stage.synthesised or self._drawn == proxy.round:
            return
        self._drawn = proxy.round
        folder = self._folder(trainer)
        if not trainer.is_global_zero:
            return
        stages_folder = folder / "stages" / f"round_{proxy.round + 1}"
        for group in by_proxy(stage.synthesised)[: self.scenes]:
            for path in draw_stage(stages_folder, group):
                self._show(trainer, path, folder)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find the folder, on all ranks together."""
        self._test_folder = self._folder(trainer)

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401 - a `Tested`, under Lightning's own signature
        batch: Mapping[str, Any],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Draw the first scenes of every test set."""
        if batch_idx >= self.scenes or not trainer.is_global_zero:
            return
        tested: Tested = outputs
        source_only = tested["source_only"]
        restored = {} if source_only is None else {"source-only": source_only().restored[0]}
        restored["adapted"] = tested["restored"][0]
        folder = self._test_folder / test_set_name(datamodule_of(trainer), dataloader_idx)
        for path in draw_restoration(folder / file_stem(batch["name"][0]), batch, restored):
            self._show(trainer, path, self._test_folder)

    def _show(self, trainer: Trainer, path: Path, root: Path) -> None:
        name = path.relative_to(root).with_suffix("").as_posix()
        log_picture(trainer.loggers, f"pictures/{name}", path, trainer.global_step)

    def _folder(self, trainer: Trainer) -> Path:
        self.root = Path(self.folder) if self.folder else run_folder(trainer) / "pictures"
        return self.root


def draw_stage(folder: Path, group: list[Synthesised]) -> list[Path]:
    """Draw one proxy with its guides above the scenes synthesised from them, and the spectra of all; return both."""
    proxy = group[0].proxy.load()
    panels: dict[str, Picture] = {"proxy": pseudo_rgb(proxy.cube, proxy.wavelengths)}
    cubes = {"proxy": proxy.cube}
    for number, one in enumerate(group, start=1):
        guide = torch.from_numpy(np.load(one.guide, allow_pickle=False))
        panels[f"guide {number}"] = displayed(guide)
    panels["proxy, band mean"] = displayed(proxy.cube.mean(0, keepdim=True).expand(3, -1, -1))
    for number, one in enumerate(group, start=1):
        cubes[f"synthesised {number}"] = one.scene.load().cube
        panels[f"synthesised {number}"] = pseudo_rgb(cubes[f"synthesised {number}"], proxy.wavelengths)
    stem = file_stem(proxy.name)
    paths = [folder / f"{stem}.png", folder / f"{stem}_spectra.png"]
    save_panels(paths[0], panels, columns=len(group) + 1)
    save_spectra(paths[1], cubes, proxy.wavelengths)
    return paths


def draw_restoration(stem: Path, batch: Mapping[str, Any], restored: Mapping[str, torch.Tensor]) -> list[Path]:
    """Draw observation, restorations and, where there is one, target in pseudo-RGB, the error maps, and spectra.

    Returns:
        The two files.
    """
    wavelengths = batch["wavelengths"]
    # Not with_suffix: what follows a point in a scene's name is no ending.
    paths = [stem.with_name(f"{stem.name}.png"), stem.with_name(f"{stem.name}_spectra.png")]
    if "target" not in batch:
        cubes = {"observation": batch["observation"][0], **restored}
        save_panels(paths[0], {label: pseudo_rgb(cube, wavelengths) for label, cube in cubes.items()})
        save_spectra(paths[1], restored, wavelengths)
        return paths
    target = batch["target"][0]
    observation = enlarged(batch["observation"][0], target.shape[-2])
    panels = {"observation": pseudo_rgb(observation, wavelengths)}
    panels |= {label: pseudo_rgb(cube, wavelengths) for label, cube in restored.items()}
    panels["target"] = pseudo_rgb(target, wavelengths)
    columns = len(panels)
    panels["error of the observation"] = error_map(observation, target)
    errors = {f"error, {label}": error_map(cube, target) for label, cube in restored.items()}
    # The scale is that of the restorations: on the observation's they would all be black.
    limit = float(np.percentile(np.concatenate([one.ravel() for one in errors.values()]), 99))
    save_panels(paths[0], panels | errors, columns, limit)
    save_spectra(paths[1], {"target": target, **restored}, wavelengths)
    return paths
