"""An image-to-text model of transformers that says in one sentence what is seen on a picture."""

from __future__ import annotations

from typing import Any

import torch
from PIL import Image

from hyperalign.downloads import warn_unpinned
from hyperalign.errors import HyperalignError, InputError

INSTRUCTION = "Describe this image in one sentence: the objects, their colours and materials, and the background."
"""What a chat model is asked where no prompt is given; a model made for captions needs none."""


class CaptionModelError(HyperalignError, RuntimeError):
    """An image-to-text model that cannot be loaded or cannot be used."""


class Captioner:
    """Greedy captions, so that the same picture always gets the same one.

    Args:
        model: identifier on the Hugging Face hub or folder that `save_pretrained` wrote: BLIP, GIT, vision encoder and
            text decoder, or a chat model that sees images.
        revision: branch, tag or commit of the model; None takes its main branch.
        prompt: beginning that a captioning model continues (it stays in the caption), or instruction of a chat model.
        max_new_tokens: length at which a caption is cut, in tokens.
        device: such as `cpu` or `cuda:1`; `auto` is the first GPU where there is one.

    Raises:
        ValueError: `max_new_tokens` is below 1.
        CaptionModelError: the model cannot be loaded, or the device cannot be used.
    """

    def __init__(
        self, model: str, revision: str | None = None, prompt: str = "", max_new_tokens: int = 40, device: str = "auto"
    ) -> None:
        if max_new_tokens < 1:
            raise InputError(
                f"A caption of {max_new_tokens} tokens is not possible; set `max_new_tokens` to at least 1."
            )
        self.max_new_tokens = max_new_tokens
        self._name = model
        try:
            self._network, self._processor, self._tokenizer = _load(model, revision)
        except Exception as error:  # whatever transformers, its hub and its file formats raise
            raise CaptionModelError(
                f"The image-to-text model {model} cannot be loaded ({_reason(error)}); check its name and the network, "
                "or give a folder that save_pretrained wrote by `--model FOLDER`, which needs no network."
            ) from error
        self._chat = bool(getattr(self._processor, "chat_template", None))
        self._text: str | None = self._conversation(prompt or INSTRUCTION) if self._chat else prompt or None
        try:
            self.device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
            self._network = self._network.eval().to(self.device)
        except (RuntimeError, AssertionError) as error:
            raise CaptionModelError(
                f"The device {device} cannot hold {model} ({_reason(error)}); set `--device cpu`, or another one."
            ) from error

    @torch.no_grad()
    def __call__(self, picture: Image.Image) -> str:
        """Say what is seen.

        Args:
            picture: RGB picture of any size.

        Returns:
            The caption on one line; empty where the model has nothing to say.

        Raises:
            CaptionModelError: the model needs a prompt, or another one.
        """
        try:
            inputs = self._processor(
                images=picture, return_tensors="pt", **({} if self._text is None else {"text": self._text})
            ).to(self.device)
            tokens = self._network.generate(**inputs, max_new_tokens=self.max_new_tokens, do_sample=False, num_beams=1)[
                0
            ]
        except (TypeError, ValueError, IndexError) as error:
            raise CaptionModelError(
                f"The image-to-text model {self._name} cannot caption with the prompt {self._text!r} "
                f"({_reason(error)}); set `--prompt` as its model card says, or choose another model."
            ) from error
        if self._chat:
            # a chat model's answer comes after a repetition of the question
            tokens = tokens[inputs["input_ids"].shape[1] :]
        return " ".join(str(self._tokenizer.decode(tokens, skip_special_tokens=True)).split())

    def _conversation(self, instruction: str) -> str:
        content = [{"type": "image"}, {"type": "text", "text": instruction}]
        messages = [{"role": "user", "content": content}]
        return str(self._processor.apply_chat_template(messages, add_generation_prompt=True))


def _load(model: str, revision: str | None) -> tuple[Any, Any, Any]:
    """Network, processor of pictures and prompts, and tokenizer."""
    from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoProcessor, AutoTokenizer

    warn_unpinned(model, revision, "`revision`")
    network = AutoModelForImageTextToText.from_pretrained(model, revision=revision, dtype=torch.float32)
    processor = AutoProcessor.from_pretrained(model, revision=revision)
    if hasattr(processor, "tokenizer") and hasattr(processor, "image_processor"):
        return network, processor, processor.tokenizer
    # a vision encoder and text decoder has no processor of its own, only the two parts
    images = AutoImageProcessor.from_pretrained(model, revision=revision)
    return network, images, AutoTokenizer.from_pretrained(model, revision=revision)


def _reason(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".:")
