"""Diagnostics of guides and generated cubes: where they lie between the degraded and the clean target."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor

from callbacks.adaptation.generated_training import GeneratedTraining
from callbacks.adaptation.proxy_generation import ProxyGeneration
from callbacks.adaptation.stages import log_stage, target_data
from callbacks.adaptation.synthesis import DistributionAdaptiveSynthesis
from callbacks.adaptation.synthesised_scenes import by_proxy
from callbacks.adaptation.training_scenes import AfterProxies
from callbacks.progress import StageBar
from callbacks.reporting.diagnostics.embedding import Method, project
from callbacks.reporting.diagnostics.frechet import SetDistances, set_distances
from callbacks.reporting.diagnostics.plots import draw_generated, scatter, write_coordinates, write_distances
from callbacks.reporting.diagnostics.samples import PIXELS, Samples, candidates, draw, patch_features
from callbacks.reporting.drawing import save_figure
from callbacks.reporting.loggers import log_picture
from callbacks.reporting.pictures import draw_stage
from hyperalign.errors import InputError
from hyperalign.files import file_stem
from hyperalign.folders import run_folder
from hyperalign.ranks import Ranks
from hyperalign.trainers import callbacks_of
from lightning_modules.clip.towers import ClipError, ClipTowers

Features = Literal["clip", "pixels"]

LABEL = "Guide diagnostics"


class GuideDiagnostics(Callback):
    """Draws degraded, proxy, synthesised and clean samples in one plane (HIR-ALIGN, Figure 4), and examples (Figure 5).

    Whenever scenes were synthesised or generated, before they are trained on, it leaves `features.png` (patches of RGB
    pictures), `spectra.png` (pixels), the coordinates of both as CSV, `distances.csv` (how far each set lies from the
    clean one, or from the proxies where that is not shown) and, under `examples/`, proxies with their guides and
    scenes. Pictures also go to the Trainer's loggers that show pictures. List it after
    `callbacks.ProxyGeneration` and whatever makes scenes of the proxies.

    The clean cubes are those of the DataModule's test sets, observed and unobserved; they are looked at and never
    trained on, and nothing in the fit depends on them. t-SNE shows who neighbours whom; distances are for the table.

    Args:
        folder: where everything goes; `diagnostics/` in the run's log folder when None.
        method: `tsne`, as the paper, or `pca`.
        features: what stands for an RGB patch: its `clip` embedding, or `pixels` (8 x 8 of them; needs no weights).
        clip: the CLIP model; None is ViT-B-32 of OpenAI.
        patches: RGB patches of each set, at least 2.
        patch_size: their side in pixels.
        pixels: spectra of each set, at least 2.
        scenes: proxies that are drawn as examples.
        clean: whether clean test scenes are shown.
        seed: of places and of t-SNE.
    """

    def __init__(
        self,
        folder: str | None = None,
        method: Method = "tsne",
        features: Features = "clip",
        clip: ClipTowers | None = None,
        patches: int = 128,
        patch_size: int = 64,
        pixels: int = 400,
        scenes: int = 4,
        clean: bool = True,
        seed: int = 0,
    ) -> None:
        for name, value, choices in (("method", method, Method), ("features", features, Features)):
            if value not in get_args(choices):
                raise InputError(
                    f"GuideDiagnostics got {name}={value!r}: choose one of {', '.join(get_args(choices))}."
                )
        least = {
            "patches": (patches, 2),
            "patch_size": (patch_size, PIXELS),
            "pixels": (pixels, 2),
            "scenes": (scenes, 0),
        }
        for name, (number, lowest) in least.items():
            if number < lowest:
                raise InputError(f"GuideDiagnostics got {name}={number}: give at least {lowest}.")
        self.folder = folder
        self.method = method
        self.features = features
        self.clip = clip
        self.patches, self.patch_size, self.pixels = patches, patch_size, pixels
        self.scenes = scenes
        self.clean = clean
        self.seed = seed
        self._drawn: object = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Check, before anything is computed, that there will be something to draw, and CLIP to draw it with.

        Raises:
            ValueError: if no ProxyGeneration stands before, or what makes scenes stands behind.
            ClipError: if CLIP is wanted and cannot be had.
        """
        if stage != "fit":
            return
        self._drawn = None
        self._stages(trainer)
        with Ranks().meeting():
            if self.features == "clip" and trainer.is_global_zero:
                self._towers(pl_module.device)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw a round's scenes when it begins."""
        proxy, _ = self._stages(trainer)
        if proxy.proxies is self._drawn:
            return
        self._drawn = proxy.proxies
        folder = self._folder(trainer, proxy.round)
        # The other ranks wait here and not in the first step, where they would run into a timeout.
        with Ranks().meeting(), isolate_rng(), StageBar.of(trainer) as bar:
            if trainer.is_global_zero:
                self._diagnose(trainer, pl_module, folder, bar)

    def _diagnose(self, trainer: Trainer, pl_module: LightningModule, folder: Path, bar: StageBar) -> None:
        begin, data = time.perf_counter(), target_data(trainer)
        proxy, after = self._stages(trainer)
        made = after.made_scenes if after else []
        name = "generated" if isinstance(after, GeneratedTraining) else "synthesised"
        numbers = {"patches": self.patches, "patch_size": self.patch_size, "pixels": self.pixels, "seed": self.seed}
        bar(LABEL, 0, 4)
        sets = candidates(data, proxy.proxies, made, name, self.clean)
        samples = {label: draw(scenes, data.wavelengths, **numbers) for label, scenes in sets.items()}
        bar(LABEL, 1, 4)
        points = self._points(samples, pl_module.device)
        bar(LABEL, 2, 4)
        rows = self._draw_space(folder, "features", self.features_title(), points, samples)
        spectra = {label: one.spectra for label, one in samples.items()}
        rows += self._draw_space(folder, "spectra", "(b) spectra of pixels", spectra, samples)
        write_distances(folder / "distances.csv", rows)
        bar(LABEL, 3, 4)
        for picture in ("features", "spectra", *self._draw_examples(folder, proxy, after)):
            log_picture(trainer.loggers, f"diagnostics/{picture}", folder / f"{picture}.png", trainer.global_step)
        bar(LABEL, 4, 4)
        distances = {f"{row.space}_frechet_{row.set}": row.frechet for row in rows if row.set != row.reference}
        facts = {"round": proxy.round, "seconds": time.perf_counter() - begin, **distances}
        log_stage(trainer, "diagnostics", facts)

    def _points(self, samples: Mapping[str, Samples], device: torch.device) -> dict[str, Tensor]:
        towers = self._towers(device) if self.features == "clip" else None
        points = {label: patch_features(one.rgb, towers, device) for label, one in samples.items()}
        if towers is not None and device.type != "cpu":
            # Back from the GPU, whose memory the training needs.
            self._towers(torch.device("cpu"))
        return points

    def _draw_space(
        self, folder: Path, space: str, title: str, points: Mapping[str, Tensor], samples: Mapping[str, Samples]
    ) -> list[SetDistances]:
        """Draw one space, write its coordinates, and return its rows of the table."""
        plane = project(torch.cat(list(points.values())), self.method, self.seed)
        sizes = [len(one) for one in points.values()]
        places = dict(zip(points, plane.split(sizes), strict=True))
        axis = "t-SNE" if self.method == "tsne" else "principal component"
        save_figure(folder / f"{space}.png", scatter(title, axis, places))
        owners = {
            label: one.rgb_scenes if space == "features" else one.spectra_scenes for label, one in samples.items()
        }
        write_coordinates(folder / f"{space}.csv", places, owners)
        return set_distances(space, points)

    def _draw_examples(self, folder: Path, proxy: ProxyGeneration, after: AfterProxies | None) -> list[str]:
        """Draw the first proxies with what was made of them, and return the pictures' names below the folder."""
        shown = proxy.proxies[: self.scenes] if after is not None and after.made_scenes else []
        for place, scene in enumerate(shown):
            if isinstance(after, DistributionAdaptiveSynthesis):
                draw_stage(folder / "examples", by_proxy(after.synthesised)[place])
            if isinstance(after, GeneratedTraining):
                mine = after.made_scenes[place * after.ratio : (place + 1) * after.ratio]
                draw_generated(folder / "examples", scene, mine)
        return [f"examples/{file_stem(scene.name)}{kind}" for scene in shown for kind in ("", "_spectra")]

    def features_title(self) -> str:
        """Return what the picture of the features is called."""
        if self.features == "pixels":
            return f"(a) RGB patches as {PIXELS} x {PIXELS} pixels, without CLIP"
        towers = self.clip or ClipTowers()
        return f"(a) RGB patches, features of CLIP {towers.model} ({towers.pretrained or 'random weights'})"

    def _towers(self, device: torch.device) -> ClipTowers:
        """Return CLIP's towers, loaded; where they cannot be had, the error says how to do without."""
        self.clip = self.clip or ClipTowers()
        try:
            self.clip.image_embeddings(torch.zeros(1, 3, PIXELS, PIXELS, device=device))
        except ClipError as error:
            reason = str(error).rstrip(".")
            raise ClipError(f"{reason}; or set features of GuideDiagnostics to pixels, which needs no CLIP.") from error
        return self.clip

    def _folder(self, trainer: Trainer, number: int) -> Path:
        root = Path(self.folder) if self.folder else run_folder(trainer) / "diagnostics"
        return root / f"round_{number + 1}"

    def _stages(self, trainer: Trainer) -> tuple[ProxyGeneration, AfterProxies | None]:
        """Return what makes proxies, and scenes of them if there is such a callback; both stand before this one."""
        callbacks = callbacks_of(trainer)
        before = callbacks[: callbacks.index(self)]
        proxy = next((one for one in before if isinstance(one, ProxyGeneration)), None)
        if proxy is None or any(isinstance(one, AfterProxies) for one in callbacks[len(before) :]):
            raise InputError(
                "GuideDiagnostics needs ProxyGeneration, and what makes scenes of the proxies, before it: list it "
                "after them in trainer.callbacks, or under the key diagnostics."
            )
        return proxy, next((one for one in reversed(before) if isinstance(one, AfterProxies)), None)
