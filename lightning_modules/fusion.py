"""Training, scoring and using any fusion network: LR-HSI, HR-MSI and, where the network reads one, a caption."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from hyperalign.captions import RegionCaption, Window, caption_of
from hyperalign.errors import InputError
from hyperalign.seeding import generator_for
from hyperalign.trainers import datamodule_of
from lightning_modules.checkpoints import described, recorded_task
from lightning_modules.clip.sentence_towers import SentenceTowers
from lightning_modules.clip.towers import ClipTowers
from lightning_modules.losses import contrastive_loss
from lightning_modules.restoration import RestorationModule
from lightning_modules.restorer import FILE_TILE, GivenByWindow, Inputs, MatchingNetwork, ObservingNetwork
from lightning_modules.restorer.tiles import MINIMUM_TILE

__all__ = ["FusionModule"]

LARGEST_SCALE = math.log(100)
"""Where CLIP stops the learned temperature: logits are at most 100 times cosines."""


class FusionModule(RestorationModule):
    """A `RestorationModule` for pairs of observations, with the losses of CO2IF (Eq. 16 to 18).

    A network is called as `network(observation, multispectral)`; one with a true attribute `use_text` (CO2IF) as
    `network(observation, multispectral, text_tokens, text_mask)`, and it brings `embed`, `logit_scale` and, for a
    pairing of its own, `matching_loss`. The training loss is `loss` (L1, Eq. 17), plus `contrastive_weight` times the
    contrastive loss of captions and multispectral images (Eq. 16), plus `matching_loss`; each is logged. Networks
    without text need no captions and have the first alone. A network with a training objective of its own brings
    `objective(observation, multispectral, target, begun)`, whose parts replace `loss` (S2CycleDiff); one that knows its
    sensors brings `observe_by`, which is called with those of the data before a fit, test or prediction (SRLF). The
    contrastive loss is left out too for networks without
    multispectral image (`use_msi` false) and at weight 0; their adapters of embeddings then learn nothing, so several
    processes need the strategy `ddp_find_unused_parameters_true`.

    Args:
        network: fuses `B x C x h x w` and `B x c x H x W` into `B x C x H x W`.
        towers: frozen CLIP towers, `ClipTowers()` when None, or `SentenceTowers` for machines without CLIP's weights.
            Networks without text do not use them.
        contrastive_weight: weight of Eq. 16 in Eq. 18; 1 is the paper.
        l1_reduction: how Eq. 17 is taken over a sample's cube: `sum`, as it is printed, in which the pixels' error
            outweighs the contrastive loss by the number of values in a cube; or their `mean`.
        text: what the network reads: the tokens of the `caption`, or, as a control, `gaussian` noise of the same number
            and size, the same for the same caption.
        contrastive_image: what stands for the multispectral image in Eq. 16: the `patch` of the batch, turned as it is,
            which the image tower encodes at every step; or the whole training `scene`, which the caption is about and
            whose embedding is kept on disk, so the tower runs once a scene.
        rgb_channels: numbers of the red, green and blue channel of the multispectral image: [0, 1, 2] for a Nikon
            D700, [2, 1, 0] for Landsat-8's blue, green, red.
        kwargs: see `RestorationModule`; Adam with learning rate 1e-4 and betas 0.9 and 0.999, the default, is the
            paper's.

    Raises:
        ValueError: when a setting is impossible.
    """

    def __init__(
        self,
        network: nn.Module,
        towers: ClipTowers | SentenceTowers | None = None,
        contrastive_weight: float = 1.0,
        l1_reduction: Literal["sum", "mean"] = "mean",
        text: Literal["caption", "gaussian"] = "caption",
        contrastive_image: Literal["patch", "scene"] = "patch",
        rgb_channels: list[int] | None = None,
        **kwargs: Any,  # noqa: ANN401 - those of the parent
    ) -> None:
        super().__init__(network, **kwargs)
        if contrastive_image not in ("patch", "scene"):
            raise InputError(f"FusionModule: contrastive_image {contrastive_image!r} is unknown; take patch or scene.")
        if l1_reduction not in ("sum", "mean"):
            raise InputError(f"FusionModule: l1_reduction {l1_reduction!r} is unknown; take sum or mean.")
        if text not in ("caption", "gaussian"):
            raise InputError(f"FusionModule: text {text!r} is unknown; take caption or gaussian.")
        if contrastive_weight < 0:
            raise InputError(f"FusionModule: contrastive_weight {contrastive_weight} is below 0; give 0 or more.")
        if rgb_channels is not None and len(rgb_channels) != 3:
            raise InputError(f"FusionModule: rgb_channels is {rgb_channels}; give the numbers of red, green and blue.")
        self.towers = towers if towers is not None else ClipTowers()
        self.contrastive_weight = contrastive_weight
        self.l1_reduction = l1_reduction
        self.text = text
        self.contrastive_image = contrastive_image
        self.rgb_channels = tuple(rgb_channels) if rgb_channels is not None else (0, 1, 2)
        self._scene_embeddings: dict[str, Tensor] = {}

    def setup(self, stage: str) -> None:
        """Load the source weights, and tell a network that asks for it by which sensors the data were observed."""
        super().setup(stage)
        data: Any = getattr(self.trainer, "datamodule", None)
        if not hasattr(self.network, "observe_by"):
            return
        # Of measured images the task's response may be that of another sensor.
        response = getattr(data, "known_response", None)
        wavelengths = getattr(data, "wavelengths", None)
        network: object = self.network
        if isinstance(network, ObservingNetwork) and response is not None and wavelengths:
            spread = data.degradation.spread
            network.observe_by(response.matrix(wavelengths), spread.weights, spread.first)

    def on_predict_start(self) -> None:
        """Refuse pairs whose multispectral sensor is said to be another than the one that the weights know.

        Raises:
            InputError: for a network that is told no sensor, naming both.
        """
        super().on_predict_start()
        data, told = datamodule_of(self._trainer), {}
        stated = getattr(data, "response", None)
        if isinstance(stated, str) and stated != "estimate" and not hasattr(self.network, "observe_by"):
            told = recorded_task(data) or {}
        known = self._task or {}
        if (
            told.get("response_digest")
            and known.get("response_digest", told["response_digest"]) != told["response_digest"]
        ):
            raise InputError(
                f"{self.name} was trained on images of the sensor {known['response']} but data.init_args.response says "
                f"{told['response']}: adapt or fit it with that response in data.init_args.degradation, or leave "
                "data.init_args.response out if both sensors see alike."
            )

    def forward(self, observation: Tensor, *others: Tensor, **grid: float | Tensor) -> Tensor:
        """Fuse `B x C x h x w` with the multispectral image and what else the network takes."""
        fused: Tensor = self.network(observation, *others, **grid)
        return fused

    @property
    def file_tile(self) -> int:
        """Side, in hyperspectral pixels, of the tiles in which files are fused where nothing else is asked for."""
        return max(MINIMUM_TILE, FILE_TILE // int(getattr(self.network, "ratio", 1)))

    @property
    def uses_text(self) -> bool:
        """Whether the network reads captions."""
        return bool(getattr(self.network, "use_text", False))

    @property
    def contrasts(self) -> bool:
        """Whether the contrastive loss is part of the training loss."""
        return self.uses_text and bool(getattr(self.network, "use_msi", True)) and self.contrastive_weight > 0

    @property
    def needs(self) -> tuple[str, ...]:
        """Both images and, where the network reads text, the captions."""
        return ("observation", "multispectral", "caption") if self.uses_text else ("observation", "multispectral")

    def inputs(self, batch: Mapping[str, Any]) -> Inputs:
        """Return both images and, where the network reads captions, their tokens and the mask of real ones.

        Raises:
            ValueError: the batch has no multispectral image, or a scene has no caption.
        """
        if "multispectral" not in batch:
            raise InputError(
                f"The observation of {_names(batch)} comes without a multispectral image, which FusionModule needs; "
                "set data.init_args.degradation to FusionObservation."
            )
        images = (batch["observation"], batch["multispectral"])
        if not self.uses_text:
            return images, ()
        captions, device = self._captions(batch), batch["observation"].device
        whole = self._tokens(captions, device)
        if not any(isinstance(caption, RegionCaption) for caption in captions):
            return images, whole
        ratio = images[1].shape[-1] // images[0].shape[-1]

        def part(window: Window) -> tuple[Tensor, Tensor]:
            return self._tokens([caption_of(one, window.enlarged(ratio)) for one in captions], device)

        return images, GivenByWindow(whole, part)

    def _tokens(self, captions: list[str], device: torch.device) -> tuple[Tensor, Tensor]:
        """Tokens and the mask of those that take part, by the network's `word_marginals`."""
        content = getattr(self.network, "word_marginals", "uniform") == "content"
        tokens, mask = self.towers.tokens(captions, device, content)
        return (tokens if self.text == "caption" else _noise_like(tokens, mask, captions)), mask

    def restoring_settings(self) -> dict[str, Any]:
        """Return the towers, where captions are read, beside what any module needs."""
        settings = super().restoring_settings()
        if self.uses_text and type(self.towers) in (ClipTowers, SentenceTowers):
            settings["towers"] = described(type(self.towers), self.towers.arguments())
        return settings

    def input_settings(self) -> dict[str, Any]:
        """Return the towers, where captions are read."""
        return {"towers": self.towers.settings()} if self.uses_text else {}

    def training_loss(self, batch: Mapping[str, Any]) -> Tensor:
        """Return the sum of the losses (Eq. 18), each of which is logged.

        Raises:
            ValueError: inputs are missing, or a channel that `rgb_channels` names does not exist.
        """
        parts = self._own_objective(batch)
        if not parts:
            l1 = super().training_loss(batch)
            parts["l1"] = l1 * batch["target"][0].numel() if self.l1_reduction == "sum" else l1
        total = torch.stack(list(parts.values())).sum()
        if self.contrasts:
            parts["contrastive"] = self._contrastive_loss(batch)
            total = total + self.contrastive_weight * parts["contrastive"]
        network: object = self.network
        if self.uses_text and isinstance(network, MatchingNetwork):
            _, text = self.inputs(batch)
            observation, grid = batch["observation"], self.grid(batch)
            parts["matching"] = network.matching_loss(observation, *text, **grid)
            total = total + parts["matching"]
        for name, part in parts.items():
            self.log(f"train/{name}", part, batch_size=len(batch["name"]))
        return total

    def _own_objective(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Parts of the training loss of a network that brings its own; nothing for others."""
        objective = getattr(self.network, "objective", None)
        if objective is None:
            return {}
        images, _ = self.inputs(batch)
        parts: dict[str, Tensor] = objective(*images, batch["target"], begun=self.current_epoch > 0, **self.grid(batch))
        return parts

    def _contrastive_loss(self, batch: Mapping[str, Any]) -> Tensor:
        """Eq. 16 of a batch, over all ranks."""
        captions, device = self._captions(batch), batch["observation"].device
        rgb = self._rgb(batch) if self.contrastive_image == "patch" else None
        images = self._scenes(batch, device) if rgb is None else self.towers.image_embeddings(rgb)
        network: Any = self.network
        text, image = network.embed(*self._tokens(captions, device), images)
        with torch.no_grad():
            # The parameter itself, as CLIP does: a logarithm that is only clamped in use would never come back.
            network.logit_scale.clamp_(max=LARGEST_SCALE)
        return contrastive_loss(text, image, network.logit_scale, captions)

    def _scenes(self, batch: Mapping[str, Any], device: torch.device) -> Tensor:
        """Embeddings of the whole training scenes that the batch's patches are from."""
        data: Any = getattr(self.trainer, "datamodule", None)
        if not hasattr(data, "training_scene"):
            raise InputError(
                "FusionModule: contrastive_image scene needs the DataModule that has the whole scenes; give the "
                "Trainer one of datamodules, or take contrastive_image patch."
            )
        embeddings = []
        for name in batch["name"]:
            scene = data.training_scene(name)
            # By path: the next round of an adaptation trains on other scenes of the same names.
            if str(scene.path) not in self._scene_embeddings:
                if (measured := getattr(scene, "multispectral", None)) is not None:
                    image = measured.load().cube
                else:
                    cube, generator = scene.load().cube, torch.Generator().manual_seed(data.seed)
                    image = data.degradation.multispectral(cube, scene.wavelengths, generator)
                rgb = self._rgb({"name": [name], "multispectral": image[None].to(device)})
                self._scene_embeddings[str(scene.path)] = self.towers.image_embeddings(rgb, keep=True)[0].cpu()
            embeddings.append(self._scene_embeddings[str(scene.path)])
        return torch.stack(embeddings).to(device)

    def _rgb(self, batch: Mapping[str, Any]) -> Tensor:
        """Red, green and blue of the multispectral images, `B x 3 x H x W`."""
        multispectral: Tensor = batch["multispectral"]
        if not all(0 <= channel < multispectral.shape[1] for channel in self.rgb_channels):
            raise InputError(
                f"FusionModule: rgb_channels {list(self.rgb_channels)} do not exist in the {multispectral.shape[1]} "
                f"multispectral channels of {_names(batch)}; give the numbers of red, green and blue, from 0."
            )
        return multispectral[:, list(self.rgb_channels)]

    def _captions(self, batch: Mapping[str, Any]) -> list[str]:
        """Captions of the batch, none of them empty."""
        captions: list[str] = list(batch.get("caption", [""] * len(batch["name"])))
        missing = [name for name, caption in zip(batch["name"], captions, strict=True) if not caption.strip()]
        if missing:
            raise InputError(
                f"The scene {', '.join(dict.fromkeys(missing))} has no caption, which the network reads; name a "
                "caption file by data.init_args.captions (`hyperalign caption` writes one), or build the network with "
                "use_text=False."
            )
        return captions


def _noise_like(tokens: Tensor, mask: Tensor, captions: list[str]) -> Tensor:
    """Gaussian noise of the mean square of the real tokens `B x M x width`, zero where there is none."""
    shape = tokens.shape[1:]
    drawn = torch.stack([torch.randn(shape, generator=generator_for("tokens", one)) for one in captions]).to(tokens)
    return drawn * mask[..., None] * tokens[mask].square().mean().sqrt()


def _names(batch: Mapping[str, Any]) -> str:
    return ", ".join(dict.fromkeys(batch["name"]))
