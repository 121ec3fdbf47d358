"""Embeddings of task sentences by a CLIP text encoder, kept on disk so that the encoder is needed once.

MP-HSIR (arXiv 2503.09131) conditions its prompts on CLIP ViT-B/32 embeddings of one sentence per task, not normalised.
Its published weights were trained with the sentences of its published code; those written here say the same in other
words. To use the published weights give the published sentences by `sentences`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from hyperalign.downloads import warn_tag, warn_unpinned
from hyperalign.errors import HyperalignError, InputError
from hyperalign.folders import cache_folder
from lightning_modules.clip.embedding_cache import EmbeddingCache
from lightning_modules.networks.layers.text_embedding import TextSource

__all__ = ["SENTENCES", "TextEncoderError", "TextPrompts"]

log = logging.getLogger(__name__)

VERSION = 1
LOCAL = "local-dir:"
SENTENCES: Mapping[str, str] = {
    "gaussian_noise": "A hyperspectral image with additive Gaussian noise in all bands.",
    "complex_noise": "A hyperspectral image with a mixture of stripes, dead lines and impulse noise.",
    "blur": "A hyperspectral image smoothed by a Gaussian blur kernel.",
    "super_resolution": "A hyperspectral image of low spatial resolution.",
    "mask": "A hyperspectral image of which most values are masked out.",
    "haze": "A hyperspectral image seen through haze in the atmosphere.",
    "band_missing": "A hyperspectral image in which whole bands are missing.",
}
"""A sentence for every task of MP-HSIR, in our words."""


class TextEncoderError(HyperalignError, RuntimeError):
    """A text encoder that is not installed or cannot be loaded."""


class TextPrompts(TextSource):
    """Makes the embeddings of tasks' sentences: `MPHSIR(text_embedding=TextPrompts())`.

    The embeddings are kept in a small file named after the hash of library, encoder, revision and sentences; with it
    the encoder is neither loaded nor looked for. The file of an encoder on this disk also records the encoder's files
    (sizes and times) and is made again when they have changed.

    Args:
        encoder: name or folder of the text encoder: for `transformers` a model id or a folder that `save_pretrained`
            wrote, with its tokenizer; for `open_clip` the name of an architecture, such as `ViT-B-32-quickgelu`, or
            `local-dir:FOLDER` with an `open_clip_config.json` and weights.
        library: package that loads it.
        revision: for `transformers` the revision of the model id; for `open_clip` the tag of the pretrained weights,
            such as `openai`, or a file that holds them.
        sentences: sentence of a task by its name, in place of (or besides) those of `SENTENCES`.
        cache: folder for the embeddings; `$HYPERALIGN_CACHE/text` or `hyperalign/text` in the user's cache folder when
            None.

    Raises:
        ValueError: when the library is unknown.
    """

    def __init__(
        self,
        encoder: str = "openai/clip-vit-base-patch32",
        library: Literal["transformers", "open_clip"] = "transformers",
        revision: str | None = None,
        sentences: Mapping[str, str] | None = None,
        cache: str | None = None,
    ) -> None:
        if library not in ("transformers", "open_clip"):
            raise InputError(f"TextPrompts: library {library!r} is unknown; choose 'transformers' or 'open_clip'.")
        self.encoder = encoder
        self.library = library
        self.revision = revision
        self.sentences = {**SENTENCES, **(sentences or {})}
        self.cache = EmbeddingCache(Path(cache) if cache is not None else cache_folder("text"))

    def encode(self, tasks: Sequence[str]) -> Tensor:
        """Return the embeddings of the tasks' sentences, not normalised: float32 `tasks x channels`.

        Raises:
            ValueError: when a task has no sentence.
            TextEncoderError: when the embeddings are not kept and the encoder cannot be loaded.
            OSError: when the embeddings cannot be written.
        """
        missing = [task for task in tasks if task not in self.sentences]
        if missing:
            raise InputError(f"TextPrompts: no sentence for {', '.join(missing)}; give it by `sentences`.")
        sentences = [self.sentences[task] for task in tasks]
        key, files = self._key(tasks), _files(self.encoder, self.revision)
        kept = self.cache.read(*key)
        if kept is None or "embedding" not in kept or (files and str(kept.get("files")) != files):
            encode = _encode_transformers if self.library == "transformers" else _encode_open_clip
            embedding = encode(self.encoder, self.revision, sentences).float().numpy()
            kept = {"embedding": embedding, "files": np.array(files), "sentences": np.array(sentences)}
            self.cache.write(kept, *key)
            log.info("sentences of %d tasks encoded by %s, kept in %s", len(sentences), self.encoder, self.path(tasks))
        return torch.from_numpy(kept["embedding"])

    def path(self, tasks: Sequence[str]) -> Path:
        """Return the file in which the embeddings of these tasks' sentences are kept."""
        return self.cache.path(*self._key(tasks))

    def _key(self, tasks: Sequence[str]) -> list[Any]:
        return [VERSION, self.library, self.encoder, self.revision, [self.sentences[task] for task in tasks]]


def _files(*names: str | None) -> str:
    """Describe the files of an encoder on this disk by path, size and time; empty when nothing is there."""
    paths = []
    for root in (Path(name.removeprefix(LOCAL)) for name in names if name):
        paths += sorted(root.rglob("*")) if root.is_dir() else [root]
    stats = [(str(path), path.stat()) for path in paths if path.is_file()]
    return json.dumps([[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]) if stats else ""


@torch.no_grad()
def _encode_transformers(encoder: str, revision: str | None, sentences: Sequence[str]) -> Tensor:
    """Encode sentences by a CLIP text model of transformers: projected, not normalised."""
    try:
        from transformers import AutoTokenizer, CLIPTextModelWithProjection
    except ImportError as error:
        raise TextEncoderError(_not_installed("transformers", "transformers")) from error
    warn_unpinned(encoder, revision, "`revision`")
    try:
        tokenizer = AutoTokenizer.from_pretrained(encoder, revision=revision)
        model = CLIPTextModelWithProjection.from_pretrained(encoder, revision=revision, dtype=torch.float32)
    except (OSError, ValueError, RuntimeError) as error:
        raise TextEncoderError(
            _unreachable(encoder, revision, error, "set `encoder` to a folder that save_pretrained wrote")
        ) from error
    tokens = tokenizer(list(sentences), padding=True, return_tensors="pt")
    embeddings: Tensor = model.eval()(**tokens).text_embeds
    return embeddings


@torch.no_grad()
def _encode_open_clip(encoder: str, revision: str | None, sentences: Sequence[str]) -> Tensor:
    """Encode sentences by a text tower of open_clip: projected, not normalised."""
    try:
        import open_clip
    except ImportError as error:
        raise TextEncoderError(_not_installed("open_clip", "open_clip_torch")) from error
    if revision is None and not encoder.startswith(LOCAL):
        raise InputError(
            f"TextPrompts: open_clip's {encoder} needs weights; set `revision` to their tag, such as 'openai', or file."
        )
    warn_tag(encoder, revision, "`revision` a local file")
    try:
        model = open_clip.create_model(encoder, pretrained=revision)
        tokens = open_clip.get_tokenizer(encoder)(list(sentences))
    except (OSError, ValueError, RuntimeError) as error:
        advice = f"set `encoder` to {LOCAL}FOLDER, or `revision` to a file of weights"
        raise TextEncoderError(_unreachable(encoder, revision, error, advice)) from error
    embeddings: Tensor = model.eval().encode_text(tokens, normalize=False)
    return embeddings


def _not_installed(package: str, distribution: str) -> str:
    """Sentence for a missing package."""
    return (
        f"TextPrompts: the package {package} is not installed; run pip install {distribution}, or load a checkpoint of "
        "this project, which holds the embeddings."
    )


def _unreachable(encoder: str, revision: str | None, error: Exception, advice: str) -> str:
    """Sentence for an encoder that does not load."""
    reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".:")
    return (
        f"TextPrompts: the text encoder {encoder}{f' ({revision})' if revision else ''} cannot be loaded ({reason}); "
        f"without a network {advice}, or copy the embeddings' file from a machine that made it."
    )
