"""The frozen CLIP towers of CO2IF, through open_clip: tokens and embedding of captions, embeddings of RGB images.

The towers are no part of a module's weights: they are made when first needed, and what they say of a caption or of a
whole scene is kept on disk, so a machine that has the files needs neither weights nor the package. `tiny-random` is a
packaged configuration whose seeded random weights carry no knowledge of language (equal words have equal tokens, that
is all); it serves tests, and machines that reach no weights.
"""

from __future__ import annotations

import hashlib
import json
import logging
import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor, nn
from torch.nn import functional

from hyperalign.downloads import warn_tag
from hyperalign.errors import HyperalignError
from hyperalign.files import file_digest
from lightning_modules.clip.embedding_cache import EmbeddingCache
from lightning_modules.clip.function_words import content_words

__all__ = ["ClipError", "ClipTowers"]

log = logging.getLogger(__name__)

REVISION = 2
"""Raised whenever kept embeddings of unchanged settings would come out differently."""

LOCAL = "local-dir:"
PACKAGED = Path(__file__).parent / "models"
_known_folders: set[Path] = set()


class ClipError(HyperalignError, RuntimeError):
    """CLIP's towers are not installed, cannot be loaded, or are of a kind that is not understood."""


@dataclass(frozen=True)
class _Text:
    """What the text tower says of one caption.

    Attributes:
        tokens: those behind the start token, the end token last, `n x width`.
        content: which of them are content words, `n`; the end token is none.
        embedding: `E`.
        context: places that the tower has for tokens.
        cut: the end of the caption that did not fit, or empty.
    """

    tokens: Tensor
    content: Tensor
    embedding: Tensor
    context: int
    cut: str


class ClipTowers:
    """Frozen text and vision towers of one CLIP model, in float32 whatever the autocast.

    Args:
        model: name of an open_clip architecture, `local-dir:FOLDER`, or `tiny-random` (give `pretrained` null).
        pretrained: tag of its weights, or a file that holds them; null gives seeded random weights, which know no
            language. The activation follows the tag; with a file of OpenAI's weights name `ViT-B-32-quickgelu`.
        config_folder: folder with JSON configurations of architectures of your own, named by their file names.
        cache: folder for kept embeddings; `$HYPERALIGN_CACHE/clip` or `hyperalign/clip` in the user's cache folder
            when None.
    """

    def __init__(
        self,
        model: str = "ViT-B-32",
        pretrained: str | None = "openai",
        config_folder: str | None = None,
        cache: str | None = None,
    ) -> None:
        self.model = model
        self.pretrained = pretrained
        self.config_folder = config_folder
        self.cache = EmbeddingCache(cache)
        self._identity: str | None = None
        self._network: Any = None
        self._tokenizer: Any = None
        self._texts: dict[str, _Text] = {}
        self._images: dict[str, Tensor] = {}

    def tokens(
        self, captions: Sequence[str], device: torch.device | str = "cpu", content: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Encode captions word by word.

        Args:
            captions: B captions.
            device: where the result is wanted.
            content: mask function words, punctuation and the end token too.

        Returns:
            Tokens `B x M x width` behind the tower's last normalisation, M the tower's places (77), zero where there
            is none; and `B x M`, true for words and the end token. The start token, which sees no word and is the
            same for all captions, is left out.

        Raises:
            ClipError: the towers are needed and cannot be had.
        """
        texts = self._encoded(captions)
        tokens = torch.zeros(len(texts), texts[0].context, texts[0].tokens.shape[1])
        mask = torch.zeros(tokens.shape[:2], dtype=torch.bool)
        for row, text in enumerate(texts):
            tokens[row, 1 : len(text.tokens) + 1] = text.tokens
            mask[row, 1 : len(text.tokens) + 1] = text.content if content else True
        return tokens.to(device), mask.to(device)

    def words(self, caption: str) -> list[str]:
        """Return what stands at every place of a caption's tokens: nothing, its words (or pieces), and the end token.

        Raises:
            ClipError: the towers are needed and cannot be had.
        """
        self._loaded()
        room = int(self._tokenizer.context_length) - 2
        pieces = [self._tokenizer.decode([word]).strip() for word in self._tokenizer.encode(caption)[:room]]
        return ["", *pieces, "(end)"]

    def text_embeddings(self, captions: Sequence[str], device: torch.device | str = "cpu") -> Tensor:
        """Encode captions as a whole: `B x E`, projected, not normalised.

        Raises:
            ClipError: the towers are needed and cannot be had.
        """
        return torch.stack([text.embedding for text in self._encoded(captions)]).to(device)

    def image_embeddings(self, rgb: Tensor, keep: bool = False) -> Tensor:
        """Encode images, resized and normalised as CLIP was trained (the shorter side fitted, the centre taken).

        Args:
            rgb: `B x 3 x H x W` in [0, 1] (values outside are clamped).
            keep: whether the embeddings are looked for, and kept, in memory and on disk: for images that come again.

        Returns:
            `B x E` on the images' device, projected, not normalised, without gradients.

        Raises:
            ClipError: the towers are needed and cannot be had.
        """
        if keep:
            return torch.stack([self._kept_image(one) for one in rgb]).to(rgb.device)
        with _plain_tensors(rgb.device):
            network = self._loaded().to(rgb.device)
            embeddings: Tensor = network.encode_image(self._prepared(rgb.detach().float().clone()))
            return embeddings.float()

    def arguments(self) -> dict[str, Any]:
        """Return the arguments that make the same towers elsewhere; the cache is a matter of the machine."""
        return {"model": self.model, "pretrained": self.pretrained, "config_folder": self.config_folder}

    def settings(self) -> dict[str, str]:
        """Return what the embeddings depend on, JSON-able: part of the key of whatever is computed from them."""
        if self._identity is None:
            self._identity = hashlib.sha256(json.dumps([REVISION, self.model, self._weights()]).encode()).hexdigest()
        return {"model": self.model, "identity": self._identity}

    def _encoded(self, captions: Sequence[str]) -> list[_Text]:
        for caption in captions:
            if caption not in self._texts:
                # One by one, so that the numbers do not depend on which captions share a batch.
                text = self._texts[caption] = self._kept_text(caption)
                if text.cut:
                    places = text.context
                    log.warning("A caption is longer than %d tokens and was cut; left out: %r.", places, text.cut)
        return [self._texts[caption] for caption in captions]

    def _kept_text(self, caption: str) -> _Text:
        key = ("text", self.settings()["identity"], caption)
        kept = self.cache.read(*key)
        with torch.inference_mode(False):
            if kept is None:
                text = self._encode(caption)
                arrays = {name: getattr(text, name).numpy() for name in ("tokens", "content", "embedding")}
                facts = {"context": np.array(text.context), "cut": np.array(text.cut)}
                self.cache.write(arrays | facts, *key)
                return text
            tokens, content, embedding = (torch.from_numpy(kept[name]) for name in ("tokens", "content", "embedding"))
            return _Text(tokens, content, embedding, int(kept["context"]), str(kept["cut"]))

    def _encode(self, caption: str) -> _Text:
        network = self._loaded()
        device = network.logit_scale.device
        words = self._tokenizer.encode(caption)
        room = int(self._tokenizer.context_length) - 2
        ids = self._tokenizer([caption]).to(device)
        with _plain_tensors(device):
            outputs = network.forward_intermediates(
                text=ids, text_indices=1, normalize=False, normalize_intermediates=True
            )
        tokens = outputs["text_intermediates"][0][0, 1 : min(len(words), room) + 2]
        embedding = outputs["text_features"][0]
        cut = self._tokenizer.decode(words[room:]).strip()
        named = content_words([self._tokenizer.decode([word]) for word in words[:room]])
        content = torch.tensor([*named, not named])
        return _Text(tokens.float().cpu().contiguous(), content, embedding.float().cpu(), room + 2, cut)

    def _kept_image(self, rgb: Tensor) -> Tensor:
        image = rgb.detach().float().cpu().contiguous()
        digest = hashlib.sha256(str(tuple(image.shape)).encode() + image.numpy().tobytes()).hexdigest()
        if digest not in self._images:
            key = ("image", self.settings()["identity"], digest)
            kept = self.cache.read(*key)
            with torch.inference_mode(False):
                if kept is None:
                    embedding = self.image_embeddings(rgb[None])[0].cpu()
                    self.cache.write({"embedding": embedding.numpy()}, *key)
                else:
                    embedding = torch.from_numpy(kept["embedding"])
            self._images[digest] = embedding
        return self._images[digest]

    def _prepared(self, rgb: Tensor) -> Tensor:
        """Resize, crop and normalise `B x 3 x H x W` as the vision tower wants it."""
        wanted = self._network.visual.preprocess_cfg
        side, (height, width) = self._network.visual.image_size, rgb.shape[-2:]
        rows, columns = (side, side) if isinstance(side, int) else side
        grow = max(rows / height, columns / width)
        size = (max(rows, int(height * grow)), max(columns, int(width * grow)))
        resized = functional.interpolate(rgb.clamp(0, 1), size=size, mode="bicubic", antialias=True).clamp(0, 1)
        top, left = (size[0] - rows) // 2, (size[1] - columns) // 2
        mean, spread = (rgb.new_tensor(wanted[name]).view(3, 1, 1) for name in ("mean", "std"))
        return (resized[..., top : top + rows, left : left + columns] - mean) / spread

    def _loaded(self) -> Any:  # noqa: ANN401 - open_clip's models have no common type
        """The model, made when it is first asked for."""
        if self._network is None:
            self._network, self._tokenizer = self._create()
            log.info("CLIP %s (%s) loaded", self.model, self.pretrained or "random weights, no language knowledge")
        return self._network

    def _create(self) -> tuple[nn.Module, Any]:
        try:
            import open_clip
        except ImportError as error:
            raise ClipError(
                "ClipTowers: the package open_clip is not installed; run pip install open_clip_torch, or bring "
                f"the kept embeddings {self.cache.folder} from a machine that made them."
            ) from error
        for folder in self._config_folders():
            if folder not in _known_folders:
                open_clip.add_model_config(folder)
                _known_folders.add(folder)
        warn_tag(self.model, self.pretrained, "`pretrained` a local file")
        try:
            facts = open_clip.get_pretrained_cfg(self.model, self.pretrained) if self.pretrained else None
            with isolate_rng(), torch.inference_mode(False):
                torch.manual_seed(0)
                network = open_clip.create_model(
                    self.model, pretrained=self.pretrained, force_quick_gelu=bool((facts or {}).get("quick_gelu"))
                )
                tokenizer = open_clip.get_tokenizer(self.model)
        except (OSError, ValueError, RuntimeError, KeyError, pickle.UnpicklingError) as error:
            raise ClipError(self._unreachable(error)) from error
        if not isinstance(tokenizer, open_clip.SimpleTokenizer) or not hasattr(network, "forward_intermediates"):
            raise ClipError(
                f"ClipTowers: {self.model} does not read text as CLIP does; choose a model with CLIP's own tokenizer, "
                "such as ViT-B-32."
            )
        return network.eval().requires_grad_(False), tokenizer

    def _config_folders(self) -> list[Path]:
        own = [] if self.config_folder is None else [Path(self.config_folder).resolve()]
        for folder in own:
            if not folder.is_dir():
                raise ClipError(f"ClipTowers: there is no folder {folder}; give one of JSON files by `config_folder`.")
        return [PACKAGED, *own]

    def _weights(self) -> list[str]:
        """What tells these weights, and this architecture, from others."""
        configs = [folder / f"{self.model}.json" for folder in self._config_folders()]
        files = [path for path in configs if path.is_file()]
        if self.model.startswith(LOCAL):
            files += sorted(path for path in Path(self.model.removeprefix(LOCAL)).glob("*") if path.is_file())
        if self.pretrained is None:
            try:
                name = f"random of open_clip {version('open_clip_torch')}"
            except PackageNotFoundError:
                name = "random"
        elif Path(self.pretrained).is_file():
            name = "file"
            files.append(Path(self.pretrained))
        else:
            name = self.pretrained
        return [name, *(file_digest(path) for path in files)]

    def _unreachable(self, error: Exception) -> str:
        reason = (str(error).strip().strip("'\"") or type(error).__name__).splitlines()[0].rstrip(".:")
        weights = f"the weights {self.pretrained} of {self.model}" if self.pretrained else f"the model {self.model}"
        return (
            f"ClipTowers: {weights} cannot be loaded ({reason}); without a network give `pretrained` a local file, or "
            "take model tiny-random with pretrained null, which knows no language."
        )


@contextmanager
def _plain_tensors(device: torch.device) -> Iterator[None]:
    """Compute in full precision, without gradients, tensors that a later training step may use."""
    with torch.inference_mode(False), torch.no_grad(), torch.autocast(device.type, enabled=False):
        yield
