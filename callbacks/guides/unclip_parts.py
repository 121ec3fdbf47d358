"""The components of a published unCLIP checkpoint (diffusers' StableUnCLIPImg2ImgPipeline): loaded, checked, placed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from callbacks.guides.unclip_identity import folder_digest
from hyperalign.downloads import warn_unpinned
from hyperalign.errors import InputError

MODULES = ("text_encoder", "image_encoder", "image_normalizer", "unet", "vae")
PARTS = (*MODULES, "tokenizer", "feature_extractor", "image_noising_scheduler", "scheduler")


@dataclass(frozen=True)
class Weights:
    """Where the weights come from.

    Attributes:
        checkpoint: a folder in diffusers' layout, or the id of one in the model registry.
        image_encoder: folder of another image encoder, or None.
        variant: of the weight files, such as `fp16`; None for the plain ones.
        revision: of the id: branch, tag or commit.
        local_files_only: whether nothing may be downloaded.
    """

    checkpoint: str
    image_encoder: str | None = None
    variant: str | None = None
    revision: str | None = None
    local_files_only: bool = False

    def settings(self) -> dict[str, Any]:
        """Return what tells these weights from others; the contents of folders count, not their places.

        Raises:
            ValueError: if there is no folder `image_encoder`.
        """
        folder = Path(self.checkpoint)
        known: dict[str, Any] = {"checkpoint": self.checkpoint, "revision": self.revision}
        if folder.is_dir():
            known = {"digest": folder_digest(folder, PARTS)}
        encoder = folder_digest(self.encoder_folder()) if self.image_encoder else None
        return {**known, "variant": self.variant, "image_encoder": encoder}

    def encoder_folder(self) -> Path:
        """Return the folder of the other image encoder.

        Raises:
            ValueError: if it is not there.
        """
        folder = Path(self.image_encoder or "")
        if not (folder / "config.json").is_file():
            raise InputError(
                f"UnCLIPGuides: the image_encoder {self.image_encoder} is no folder with a config.json: give the "
                "folder that BlurRobustCLIP saved, or null for the checkpoint's own encoder."
            )
        return folder


@dataclass
class UnCLIPParts:
    """The components, placed where they are needed.

    Attributes:
        modules: the networks, by the pipeline's names.
        tokenizer: CLIP's.
        feature_extractor: holds the size and the statistics that CLIP's image encoder expects.
        image_noising_scheduler: the diffusion of image embeddings.
        scheduler: the checkpoint's own.
        dtype: of the weights.
        offload: whether a network leaves the device as soon as it is not used.
        prompts: encoded prompts, by text and dtype, on the CPU.
    """

    modules: dict[str, Any]
    tokenizer: Any
    feature_extractor: Any
    image_noising_scheduler: Any
    scheduler: Any
    dtype: torch.dtype
    offload: bool = False
    prompts: dict[tuple[str, torch.dtype], Tensor] = field(default_factory=dict)

    @property
    def factor(self) -> int:
        """Pixels a latent pixel."""
        return int(2 ** (len(self.modules["vae"].config.block_out_channels) - 1))

    @property
    def multiple(self) -> int:
        """What divides the sides of images, in pixels, so that the UNet's levels fit into each other."""
        return int(self.factor * 2 ** (len(self.modules["unet"].config.block_out_channels) - 1))

    @property
    def native(self) -> int:
        """The side of the images that the checkpoint was trained on, in pixels."""
        return int(self.modules["unet"].config.sample_size * self.factor)

    @contextmanager
    def at(self, name: str, device: torch.device) -> Iterator[Any]:
        """Lend a network on a device, in the parts' dtype."""
        module = self.modules[name]
        _move(module, device, self.dtype)
        try:
            yield module
        finally:
            if self.offload:
                _move(module, torch.device("cpu"), self.dtype)

    @contextmanager
    def in_float32(self) -> Iterator[None]:
        """Compute in float32 inside the block; half precision's weights come back unchanged."""
        dtype, self.dtype = self.dtype, torch.float32
        try:
            yield
        finally:
            self.dtype = dtype
            for module in self.modules.values():
                _move(module, None, dtype)


def _move(module: Any, device: torch.device | None, dtype: torch.dtype) -> None:  # noqa: ANN401
    """Move a network; the normaliser's own `to` understands positions only."""
    one = next(module.parameters())
    device = one.device if device is None else device
    if (one.device, one.dtype) != (device, dtype):
        module.to(device, dtype)


def load_parts(weights: Weights, dtype: torch.dtype, offload: bool = False) -> UnCLIPParts:
    """Load the components onto the CPU; the global random state stays as it was.

    Args:
        weights: where they come from.
        dtype: of the weights.
        offload: see `UnCLIPParts`.

    Raises:
        ValueError: for a checkpoint that cannot be reached, one of another pipeline, one without a part, or parts of
            widths that do not fit together.
    """
    import diffusers
    from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

    pipeline = diffusers.StableUnCLIPImg2ImgPipeline
    if not weights.local_files_only:
        warn_unpinned(weights.checkpoint, weights.revision, "`revision`")
    where = {"local_files_only": weights.local_files_only, "revision": weights.revision}
    given: dict[str, Any] = {}
    with torch.random.fork_rng(devices=[]):
        if weights.image_encoder is not None:
            folder = weights.encoder_folder()
            with _reading(weights.image_encoder):
                encoder = CLIPVisionModelWithProjection.from_pretrained(folder, local_files_only=True)
            given["image_encoder"] = encoder.to(dtype)
        with _reading(weights.checkpoint):
            index = pipeline.load_config(weights.checkpoint, **where)
        _check_index(weights, index)
        with _reading(weights.checkpoint), warnings.catch_warnings():
            # older diffusers know no other name
            warnings.filterwarnings("ignore", message=".*torch_dtype. is deprecated")
            # Checkpoints of that age name this class as transformers called it before its version 5.
            given["feature_extractor"] = CLIPImageProcessor.from_pretrained(
                weights.checkpoint, subfolder="feature_extractor", **where
            )
            parts = pipeline.from_pretrained(
                weights.checkpoint,
                torch_dtype=dtype,
                variant=weights.variant,
                low_cpu_mem_usage=find_spec("accelerate") is not None,
                **where,
                **given,
            ).components
    modules = {name: parts[name].eval().requires_grad_(False) for name in MODULES}
    others = {name: parts[name] for name in PARTS if name not in MODULES}
    _check_widths(weights, modules)
    return UnCLIPParts(modules, **others, dtype=dtype, offload=offload)


def _check_index(weights: Weights, index: Mapping[str, Any]) -> None:
    """Tell a pipeline of another kind before gigabytes are loaded."""
    missing = [name for name in PARTS if not (index.get(name) or [None])[0]]
    if missing:
        raise InputError(
            f"UnCLIPGuides: {weights.checkpoint} is a {index.get('_class_name', 'pipeline')} without "
            f"{', '.join(missing)}: give a checkpoint for StableUnCLIPImg2ImgPipeline."
        )


def _check_widths(weights: Weights, modules: Mapping[str, Any]) -> None:
    """Check that every part takes what the part before it gives."""
    encoder, unet = modules["image_encoder"].config, modules["unet"].config
    width = encoder.projection_dim
    labels = unet.projection_class_embeddings_input_dim if unet.class_embed_type == "projection" else None
    for what, found, wanted in (
        ("the image normaliser takes embeddings of width", modules["image_normalizer"].config.embedding_dim, width),
        ("the UNet takes embeddings and noise levels of width", labels, 2 * width),
    ):
        if found != wanted:
            encoders = f"its image encoder {weights.image_encoder}" if weights.image_encoder else "its image encoder"
            raise InputError(
                f"UnCLIPGuides: {encoders} gives embeddings of width {width}, but {what} {found} instead of {wanted} "
                f"in {weights.checkpoint}: take an encoder and a checkpoint that belong together."
            )
    if modules["text_encoder"].config.hidden_size != unet.cross_attention_dim:
        raise InputError(
            f"UnCLIPGuides: the text encoder of {weights.checkpoint} gives tokens of width "
            f"{modules['text_encoder'].config.hidden_size}, but its UNet takes {unet.cross_attention_dim}: "
            "take parts that belong together."
        )


@contextmanager
def _reading(place: str) -> Iterator[None]:
    """Turn the libraries' many ways to say that files are missing, damaged or out of reach into one sentence."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, SafetensorError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".:")
        raise InputError(
            f"UnCLIPGuides: {place} cannot be loaded ({reason}): save the checkpoint on a machine that reaches it and "
            "give that folder as `checkpoint`, with local_files_only true."
        ) from error
