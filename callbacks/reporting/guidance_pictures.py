"""What the caption does inside CO2IF: the pixels of every word, the weights W, and spectra with and without W."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn

from callbacks.reporting.drawing import pseudo_rgb, save_panels, save_spectra
from callbacks.reporting.loggers import log_picture
from hyperalign.errors import InputError, UsageError
from hyperalign.files import file_stem
from hyperalign.folders import run_folder
from hyperalign.trainers import datamodule_of
from lightning_modules.fusion import FusionModule
from lightning_modules.networks import CO2IF
from lightning_modules.networks.fusion.co2if.guidance import Guidance
from lightning_modules.networks.fusion.co2if.transport import Transport
from lightning_modules.restorer import WHOLE
from lightning_modules.restorer.evaluation import test_set_name

CHANNELS = 3
"""Channels of W that are drawn: those that vary most over the image."""


class GuidancePictures(Callback):
    """Draw, for the first test scenes, what guides the decoder of CO2IF (paper: Figure 6).

    Three PNG files a scene, of its middle: `NAME_words.png`, each pixel's share of every word in the row-normalised
    plan of Eq. 1, over the share that all words alike would have; `NAME_weight.png`, the channels of the adaptive
    semantic weights W of Eq. 4 that vary most; `NAME_weight_spectra.png`, spectra of the target, of the network, and of
    the same network with W left out. The middle is fused once more for that, whole, so that it has one plan.

    Args:
        folder: where the pictures go; `guidance/` in the run's log folder when None.
        scenes: at most this many scenes of every test set.
        side: of the middle, in pixels of the multispectral image.

    Attributes:
        root: where the pictures of a run went; None before there are any.

    Raises:
        InputError: for a number below 1.
    """

    def __init__(self, folder: str | None = None, scenes: int = 2, side: int = 128) -> None:
        if min(scenes, side) < 1:
            raise InputError(f"GuidancePictures got scenes={scenes} and side={side}: give at least 1 of each.")
        self.folder, self.scenes, self.side = folder, scenes, side
        self.root: Path | None = None

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find the folder, on all ranks together.

        Raises:
            UsageError: the tested network is guided by no transport.
        """
        network = getattr(pl_module, "network", None)
        if not isinstance(network, CO2IF) or network.text_guide is None or network.text_guide.transport is None:
            raise UsageError(
                f"GuidancePictures draws the words and weights of CO2IF, but {type(network).__name__} is tested, or a "
                "variant without text: take it out of trainer.callbacks."
            )
        self.root = Path(self.folder) if self.folder else run_folder(trainer) / "guidance"

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401 - under Lightning's own signature
        batch: Mapping[str, Any],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Draw the first scenes of every test set."""
        if batch_idx >= self.scenes or not trainer.is_global_zero or not isinstance(pl_module, FusionModule):
            return
        root = self.root or Path()
        folder = root / test_set_name(datamodule_of(trainer), dataloader_idx)
        for path in draw_guidance(folder, pl_module, middle(batch, self.side)):
            name = path.relative_to(root).with_suffix("").as_posix()
            log_picture(trainer.loggers, f"guidance/{name}", path, trainer.global_step)


def middle(batch: Mapping[str, Any], side: int) -> dict[str, Any]:
    """Return the first scene of a batch, cut to its middle of at most `side` multispectral pixels."""
    low, high = batch["observation"][:1], batch["multispectral"][:1]
    ratio = high.shape[-1] // low.shape[-1]
    height, width = (min(size, max(1, side // ratio)) for size in low.shape[-2:])
    top, left = (low.shape[-2] - height) // 2, (low.shape[-1] - width) // 2

    def cut(image: Tensor, scale: int) -> Tensor:
        rows = slice(top * scale, (top + height) * scale)
        return image[..., rows, left * scale : (left + width) * scale]

    parts = {"observation": cut(low, 1), "multispectral": cut(high, ratio)}
    parts |= {"target": cut(batch["target"][:1], ratio)} if "target" in batch else {}
    return {**batch, **parts, "name": batch["name"][:1], "caption": batch["caption"][:1]}


def draw_guidance(folder: Path, module: FusionModule, batch: Mapping[str, Any]) -> list[Path]:
    """Draw the three pictures of one scene; see `GuidancePictures`.

    Args:
        folder: where they go.
        module: a `FusionModule` of a CO2IF with a transport.
        batch: one scene.

    Returns:
        The files.
    """
    guide: nn.Module = module.network.get_submodule("text_guide")
    with watched(guide.get_submodule("transport")) as moved:
        fused = module.restore(batch, tile=WHOLE)[0].cpu()
    with without_weights(guide):
        plain = module.restore(batch, tile=WHOLE)[0].cpu()
    transport = moved[0]
    lattice = transport.weight.shape[-2:]
    shares = transport.plan[0] / transport.plan[0].sum(dim=1, keepdim=True)
    _, (_, mask) = module.inputs(batch)
    told = module.towers.words(batch["caption"][0])
    words = [word for word, real in zip(told, mask[0].tolist(), strict=False) if real]
    wavelengths = batch["wavelengths"]
    maps = {word: shares[:, place] * shares.shape[1] for place, word in unique_names(words).items()}
    weight = transport.weight[0].float()
    varied = weight.flatten(1).var(dim=1).topk(min(CHANNELS, len(weight))).indices.tolist()
    stem = file_stem(batch["name"][0])
    paths = [folder / f"{stem}_{what}.png" for what in ("words", "weight", "weight_spectra")]
    fused_picture = {"fused": pseudo_rgb(fused, wavelengths)}
    drawn = {word: share.view(lattice).numpy() for word, share in maps.items()}
    save_panels(paths[0], fused_picture | drawn, meaning="share of the word, 1: as all words alike")
    channels = {f"channel {channel} of W": weight[channel].numpy() for channel in varied}
    low = float(np.percentile(np.stack(list(channels.values())), 1))
    save_panels(paths[1], fused_picture | channels, lowest=low, meaning="W")
    cubes = {"fused": fused, "the same without W": plain}
    cubes |= {"target": batch["target"][0].cpu()} if "target" in batch else {}
    save_spectra(paths[2], cubes, wavelengths)
    return paths


@contextmanager
def watched(transport: nn.Module) -> Iterator[list[Transport]]:
    """Collect what a transport gives while the block runs, on the CPU."""
    found: list[Transport] = []

    def keep(_: nn.Module, __: tuple[Any, ...], output: Transport) -> None:
        found.append(Transport(*(part.detach().cpu() for part in output)))

    handle = transport.register_forward_hook(keep)
    try:
        yield found
    finally:
        handle.remove()


@contextmanager
def without_weights(guide: nn.Module) -> Iterator[None]:
    """Leave W out of what guides the decoder while the block runs."""

    def drop(_: nn.Module, __: tuple[Any, ...], output: Guidance) -> Guidance:
        return output._replace(weight=None)

    handle = guide.register_forward_hook(drop)
    try:
        yield
    finally:
        handle.remove()


def unique_names(words: list[str]) -> dict[int, str]:
    """Return each word's place and name; one that comes again is numbered."""
    named: dict[int, str] = {}
    for place, word in enumerate(words):
        earlier = words[:place].count(word)
        named[place] = f"{word} ({earlier + 1})" if earlier else word
    return named
