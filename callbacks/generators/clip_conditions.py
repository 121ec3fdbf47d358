"""The frozen CLIP encoders behind HSIGene's text and content conditions, through the package transformers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from hyperalign.downloads import hub_place, warn_unpinned
from hyperalign.errors import HyperalignError
from lightning_modules.checkpoints import weights_digest

__all__ = ["EncoderError", "ImageEncoder", "TextEncoder", "content_image"]

log = logging.getLogger(__name__)

MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
"""Of the RGB images that CLIP was trained on."""


class EncoderError(HyperalignError, RuntimeError):
    """A CLIP encoder cannot be loaded, or lacks weights."""


def _loaded(kind: str, identifier: str, argument: str) -> Any:  # noqa: ANN401 - transformers' models have no common type
    """Load a frozen model of a class of transformers, complete, without touching the global random state."""
    name, revision = hub_place(identifier)
    warn_unpinned(name, revision, f"{argument}: {name}@COMMIT")
    try:
        with _quiet(), torch.random.fork_rng(devices=[]), torch.inference_mode(False):
            import transformers

            model, found = getattr(transformers, kind).from_pretrained(
                name, revision=revision, output_loading_info=True, dtype=torch.float32
            )
    except (ImportError, OSError, ValueError, RuntimeError) as error:
        raise EncoderError(_unreachable(identifier, argument, error)) from error
    missing = sorted(found["missing_keys"])
    if missing:
        raise EncoderError(
            f"HSIGene: {identifier} lacks {len(missing)} weights of the encoder (first: {missing[0]}): give "
            f"{argument} a complete CLIP model."
        )
    return model.eval().requires_grad_(False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers from listing the other half of CLIP as unexpected."""
    from transformers.utils import logging as their_logging

    verbosity = their_logging.get_verbosity()
    their_logging.set_verbosity_error()
    try:
        yield
    finally:
        their_logging.set_verbosity(verbosity)


def _unreachable(identifier: str, argument: str, error: Exception) -> str:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".:")
    return (
        f"HSIGene: the CLIP encoder {identifier} cannot be loaded ({reason}); without a network give {argument} the "
        "folder of a downloaded clip-vit-large-patch14."
    )


class TextEncoder:
    """CLIP's text encoder: prompts to the last hidden state of all its places (77).

    Args:
        identifier: id of a model, or a folder with its configuration, weights and tokenizer.
    """

    def __init__(self, identifier: str) -> None:
        self.identifier = identifier
        self._model: Any = None
        self._tokenizer: Any = None
        self._states: dict[str, Tensor] = {}

    def __call__(self, prompt: str) -> Tensor:
        """Encode a prompt, on the CPU; it is kept.

        Returns:
            1 x 77 x 768 for the published encoder.

        Raises:
            EncoderError: when the encoder cannot be had.
        """
        if prompt not in self._states:
            self._load()
            places = int(self._model.config.max_position_embeddings)
            with _quiet():
                words = self._tokenizer(prompt)["input_ids"]
            if len(words) > places:
                cut = self._tokenizer.decode(words[places - 1 : -1]).strip()
                log.warning("HSIGene: the prompt is longer than %d tokens; its end is cut off: %s", places, cut)
            ids = self._tokenizer(
                prompt, truncation=True, max_length=places, padding="max_length", return_tensors="pt"
            )["input_ids"]
            with torch.no_grad():
                self._states[prompt] = self._model(input_ids=ids).last_hidden_state.float()
        return self._states[prompt]

    def digest(self) -> str:
        """Return the hash of the encoder's weights.

        Raises:
            EncoderError: when the encoder cannot be had.
        """
        self._load()
        return weights_digest(self._model)

    def _load(self) -> None:
        if self._model is not None:
            return
        model = _loaded("CLIPTextModel", self.identifier, "text_encoder")
        try:
            from transformers import CLIPTokenizer

            name, revision = hub_place(self.identifier)
            self._tokenizer = CLIPTokenizer.from_pretrained(name, revision=revision)
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            raise EncoderError(_unreachable(self.identifier, "text_encoder", error)) from error
        self._model = model


def content_image(rgb: Tensor, side: int, correct: bool = False) -> Tensor:
    """Prepare an image as the published content detector does, its traps included.

    The image is stretched so that its smallest value becomes 0 and its largest 1, cut to 8 bits, and its channels are
    swapped: the published code takes its RGB image for BGR. Then it is resized (bicubic, the shorter side to `side`),
    cropped in the middle and normalised as CLIP's.

    Args:
        rgb: 3 x H x W in [0, 1].
        side: of the encoder's images, in pixels.
        correct: neither stretch nor swap.

    Returns:
        1 x 3 x side x side.
    """
    image = rgb.detach().float().clamp(0.0, 1.0)
    if not correct:
        low, high = image.amin(), image.amax()
        # of a constant image nothing can be stretched
        image = ((image - low) / (high - low).clamp_min(1e-12)).flip(0)
    image = (255.0 * image).floor()
    height, width = image.shape[-2:]
    scale = side / min(height, width)
    size = (max(side, int(height * scale)), max(side, int(width * scale)))
    # in two rounded passes, columns first, as images of 8 bits are resized
    resized = image[None]
    for step in ((height, size[1]), size):
        resized = functional.interpolate(resized, size=step, mode="bicubic", antialias=True).round().clamp(0, 255)
    top, left = (size[0] - side) // 2, (size[1] - side) // 2
    mean, deviation = (image.new_tensor(values).view(3, 1, 1) for values in (MEAN, DEVIATION))
    return (resized[..., top : top + side, left : left + side] / 255.0 - mean) / deviation


class ImageEncoder:
    """CLIP's image encoder with its projection: an image to one embedding.

    Args:
        identifier: id of a model, or a folder with its configuration and weights.
    """

    def __init__(self, identifier: str) -> None:
        self.identifier = identifier
        self._model: Any = None

    def __call__(self, rgb: Tensor, correct: bool = False) -> Tensor:
        """Embed an image of 3 x H x W in [0, 1], see `content_image`, on its device.

        Returns:
            1 x 768 for the published encoder; not normalised.

        Raises:
            EncoderError: when the encoder cannot be had.
        """
        model = self._loaded().to(rgb.device)
        with torch.no_grad():
            embedding: Tensor = model(pixel_values=content_image(rgb, model.config.image_size, correct)).image_embeds
        return embedding.float()

    def digest(self) -> str:
        """Return the hash of the encoder's weights.

        Raises:
            EncoderError: when the encoder cannot be had.
        """
        return weights_digest(self._loaded())

    def _loaded(self) -> Any:  # noqa: ANN401 - transformers' models have no common type
        if self._model is None:
            self._model = _loaded("CLIPVisionModelWithProjection", self.identifier, "image_encoder")
        return self._model
