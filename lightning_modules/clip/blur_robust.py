"""The blur-robust CLIP of HIR-ALIGN's improved unCLIP (section III-B 1, Eq. 7; trained on COCO2017, section IV-D)."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from rich.console import Console
from torch import Tensor, nn
from torch.nn import functional

from hyperalign.errors import InputError
from hyperalign.files import write_text
from lightning_modules.clip.blur import blur_levels, gaussian_blur
from lightning_modules.clip.encoder import Encoder
from lightning_modules.clip.encoder_module import EncoderModule
from lightning_modules.clip.robustness import BlurRobustness, as_markdown, as_table

__all__ = ["BlurRobustCLIP", "embedding_distance"]


def embedding_distance(blurred: Tensor, clean: Tensor, normalised: bool = False) -> Tensor:
    """Return the squared Euclidean distance of embeddings, mean over the images (Eq. 7).

    Args:
        blurred: E(I_blur), `B x E`.
        clean: E(I_clean), `B x E`.
        normalised: bring all embeddings to length 1 first; the loss is then twice (1 - cosine).

    Returns:
        Scalar, at least 0.
    """
    if normalised:
        blurred, clean = functional.normalize(blurred, dim=-1), functional.normalize(clean, dim=-1)
    return (blurred - clean).square().sum(dim=-1).mean()


class BlurRobustCLIP(EncoderModule):
    """Finetunes the CLIP vision encoder of an unCLIP pipeline, so that blurred images are embedded as sharp ones are.

    The clean side of Eq. 7 is a frozen copy of the encoder. Two reasons: the pipeline's UNet was trained on that
    embedding space and is not trained again, so the space must stay; and a target that moves along could be reached by
    giving all images one embedding. For the same first reason a share of the images stays sharp, which holds clean
    embeddings in place.

    The frozen copy is no part of the checkpoints; they record the digest of its weights instead. Validation logs
    `val/cosine_sigma_S/before` and `/after`, the mean cosine of blurred images' embeddings, by the frozen copy and by
    the finetuned encoder, to the frozen copy's clean ones; `val/cosine_clean`, how far clean embeddings drifted;
    `val/pairwise_.../before|after`, cosines among different images, which rise to 1 in a collapse; and `val/cosine`,
    the mean over the blurred levels. A table of these goes to `blur_robustness.md` in the run's folder.

    Args:
        checkpoint: id or folder of an unCLIP pipeline, a folder of its encoder, or `tiny_vision`, a packaged
            architecture with random weights.
        trainable_layers: how many of the last transformer layers learn, with the last normalisation and the
            projection; None lets all of the encoder learn.
        gradient_checkpointing: compute layers again in the backward pass instead of keeping their activations.
        sigma: smallest and largest standard deviation of the Gaussian blur, in pixels of the images that the encoder
            takes; drawn uniformly. The paper gives no levels.
        clean_share: share of the training images that stay sharp, in [0, 1).
        normalised: compare embeddings at length 1; Eq. 7 compares them as they are.
        validation_sigmas: blur levels that are validated, in the same pixels.
        **options: see `EncoderModule`: where weights are read and written, optimiser, schedule, seed.

    Raises:
        ValueError: for a number outside of its range.
    """

    def __init__(
        self,
        checkpoint: str,
        *,
        trainable_layers: int | None = None,
        gradient_checkpointing: bool = False,
        sigma: tuple[float, float] = (0.5, 8.0),
        clean_share: float = 0.1,
        normalised: bool = False,
        validation_sigmas: Sequence[float] = (1.0, 2.0, 4.0, 8.0),
        **options: Any,  # noqa: ANN401 - those of EncoderModule
    ) -> None:
        super().__init__(checkpoint, **options)
        _check_levels(sigma, clean_share, validation_sigmas)
        self.trainable_layers = trainable_layers
        self.gradient_checkpointing = gradient_checkpointing
        self.sigma = (float(sigma[0]), float(sigma[1]))
        self.clean_share = clean_share
        self.normalised = normalised
        self.validation_sigmas = tuple(float(one) for one in validation_sigmas)
        self.robustness: BlurRobustness | None = None
        self.scores: dict[str, float] = {}
        # In a tuple, the frozen copy is no submodule: neither checkpoints nor the optimiser nor DDP see it.
        self._frozen: tuple[nn.Module, ...] = ()

    def prepare(self, encoder: Encoder) -> None:
        """Keep the frozen copy, and choose what learns.

        Raises:
            ValueError: when more layers are to learn than there are.
        """
        self._frozen = (copy.deepcopy(encoder.network).eval().requires_grad_(False),)
        self.robustness = BlurRobustness(self.validation_sigmas, encoder.width)
        _choose(encoder.network, self.trainable_layers)
        if self.gradient_checkpointing:
            # transformers 5 gave the switch another name.
            names = ("activation_checkpointing_enable", "gradient_checkpointing_enable")
            switch = next(getattr(encoder.network, name) for name in names if hasattr(encoder.network, name))
            switch({"use_reentrant": False})

    def frozen(self, images: Tensor) -> Tensor:
        """Embed images `B x 3 x S x S` by the frozen copy, without gradients: `B x E`."""
        self.configure_model()
        with torch.no_grad():
            return self.embed(self._frozen[0].to(images.device), images)

    def training_step(self, batch: Mapping[str, Any], batch_idx: int) -> Tensor:
        """Compare blurred images with the frozen embeddings of the same, clean images.

        Raises:
            FloatingPointError: when the loss is not finite.
        """
        images = batch["image"]
        sigma = blur_levels(
            images=images.shape[0],
            sigma=self.sigma,
            clean_share=self.clean_share,
            seed=self.seed,
            epoch=self.current_epoch,
            batch=batch_idx,
            rank=self.global_rank,
            ranks=self.trainer.world_size,
        )
        blurred = self(gaussian_blur(images, sigma))
        return self.finite(embedding_distance(blurred, self.frozen(images), self.normalised), batch, batch_idx)

    def validation_step(self, batch: Mapping[str, Any], batch_idx: int) -> None:
        """Embed a batch at every level by both encoders."""
        images, before, after = batch["image"], [], []
        for level in (0.0, *self.validation_sigmas):
            blurred = gaussian_blur(images, torch.full((images.shape[0],), level))
            before.append(self.frozen(blurred))
            after.append(self(blurred))
        if self.robustness is not None:
            self.robustness.update(torch.stack(before), torch.stack(after))

    def on_validation_epoch_end(self) -> None:
        """Log the scores and write the table; `hyperalign validate` also prints it, as a fit does at its end."""
        if self.robustness is None:
            return
        scores = self.robustness.compute()
        self.robustness.reset()
        for name, score in scores.items():
            self.log(f"val/{name}", score, prog_bar=name == "cosine", sync_dist=True)
        folder = self.output_folder()
        if self.trainer.sanity_checking or not self.trainer.is_global_zero:
            return
        self.scores = {name: float(score) for name, score in scores.items()}
        write_text(folder / "blur_robustness.md", as_markdown(self.validation_sigmas, self.scores, self._header()))
        if self.trainer.state.fn == "validate":
            self._show()

    def on_fit_end(self) -> None:
        """Print the last validation's table."""
        if self.scores and self.trainer.is_global_zero:
            self._show()

    def _show(self) -> None:
        Console().print(as_table(self.validation_sigmas, self.scores, self._header()))

    def _header(self) -> str:
        data = type(getattr(self.trainer, "datamodule", None) or self.trainer).__name__
        return (
            f"{self.checkpoint} on {data}, step {self.global_step}: cosines to the frozen encoder's clean embeddings, "
            "and among different images."
        )


def _choose(network: Any, layers: int | None) -> None:  # noqa: ANN401 - transformers' models have no types here
    """Let the last layers learn alone, with what comes behind them."""
    if layers is None:
        return
    blocks = network.vision_model.encoder.layers
    if not 0 <= layers <= len(blocks):
        raise InputError(
            f"The encoder has {len(blocks)} layers and not {layers}; set trainable_layers to fewer, or null."
        )
    network.requires_grad_(False)
    for part in (*blocks[len(blocks) - layers :], network.vision_model.post_layernorm, network.visual_projection):
        part.requires_grad_(True)


def _check_levels(sigma: tuple[float, float], clean_share: float, validation_sigmas: Sequence[float]) -> None:
    low, high = sigma
    if not 0.0 <= low <= high or high == 0.0 or not 0.0 <= clean_share < 1.0:
        raise InputError(
            f"BlurRobustCLIP: sigma {low} to {high} with a clean share of {clean_share} blurs nothing sensible; give "
            "0 <= smallest <= largest, above 0, in pixels, and a share in [0, 1)."
        )
    if not validation_sigmas or min(validation_sigmas) <= 0.0 or len(set(validation_sigmas)) < len(validation_sigmas):
        raise InputError(
            f"BlurRobustCLIP: the validation sigmas {list(validation_sigmas)} must be one or more different numbers "
            "above 0, in pixels."
        )
