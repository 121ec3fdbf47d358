"""The embeddings of task sentences that a network is conditioned on: given, made on first use, or from a checkpoint."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hyperalign.errors import InputError, WrongTypeError

__all__ = ["TextEmbedding", "TextSource"]


class TextSource(ABC):
    """What makes the embeddings of tasks when they are first needed; networks themselves read no files."""

    @abstractmethod
    def encode(self, tasks: Sequence[str]) -> Tensor:
        """Return the embeddings of the named tasks: float32 `tasks x channels`."""


class TextEmbedding(nn.Module):
    """Frozen embeddings `tasks x channels`, part of the state dict so that a checkpoint needs no text encoder.

    As long as nothing is known the buffer holds NaN. Weights without embeddings (those of the published code, which
    does not save them), or with unknown ones, leave the embeddings that are here.

    Args:
        tasks: names of the tasks, in the order of the rows.
        channels: coordinates of an embedding.
        source: the embeddings, or what makes them when they are first needed, or None: they come with a checkpoint.

    Raises:
        TypeError: when the source is none of these.
        ValueError: when given embeddings have another shape or are not finite.
    """

    embedding: Tensor

    def __init__(
        self, tasks: Sequence[str], channels: int, source: Tensor | Sequence[Sequence[float]] | TextSource | None
    ) -> None:
        super().__init__()
        self.tasks = tuple(tasks)
        self.register_buffer("embedding", torch.full((len(self.tasks), channels), torch.nan))
        self._source = source if isinstance(source, TextSource) else None
        self._known = False
        if isinstance(source, Tensor | list | tuple):
            self.give(torch.as_tensor(source, dtype=torch.float32))
        elif source is not None and self._source is None:
            raise WrongTypeError(
                f"text_embedding is {source!r}; give a tensor tasks x channels, lists of numbers, or TextPrompts()."
            )

    def give(self, embedding: Tensor) -> None:
        """Set the embeddings `tasks x channels`.

        Raises:
            ValueError: when the shape is another or a value is not finite.
        """
        if embedding.shape != self.embedding.shape:
            raise InputError(
                f"text_embedding is {list(embedding.shape)} but {len(self.tasks)} tasks ({', '.join(self.tasks)}) need "
                f"{list(self.embedding.shape)}; give one row per task, or set text_channels."
            )
        if not embedding.is_meta and not bool(torch.isfinite(embedding).all()):
            raise InputError("text_embedding holds NaN or infinite values; encode the sentences again.")
        with torch.no_grad():
            self.embedding.copy_(embedding)

    def forward(self) -> Tensor:
        """Return the embeddings, made now if they are not known yet.

        Raises:
            ValueError: when they are not known and nothing was given that makes them.
        """
        if not self._known:
            if bool(self.embedding.isnan().any()):
                if self._source is None:
                    raise InputError(
                        "MPHSIR has no embeddings of its tasks' sentences; set text_embedding to TextPrompts() or a "
                        "tensor, or load a checkpoint of this project that holds them."
                    )
                self.give(self._source.encode(self.tasks))
            self._known = True
        return self.embedding

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Keep the own embeddings where the loaded weights have none."""
        name = f"{prefix}embedding"
        loaded = state_dict.get(name)
        if loaded is None or bool(loaded.isnan().any()):
            state_dict = {**state_dict, name: self.embedding}
        self._known = False
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
