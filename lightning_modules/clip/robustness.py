"""How well an encoder withstands blur: cosines of blurred to clean embeddings, before and after finetuning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from rich.table import Table
from torch import Tensor
from torch.nn import functional
from torchmetrics import Metric

__all__ = ["BlurRobustness", "as_markdown", "as_table"]

NAMES = ("before", "after")


class BlurRobustness(Metric):
    """Sums over images of all ranks, by blur level; level 0 are the clean images.

    All cosines are to the frozen encoder's embedding of the clean image, so that an encoder whose own embeddings fell
    together gains nothing. The mean cosine among embeddings of different images shows such a collapse, and how far
    blurred images are drawn to a common average: it should stay where the frozen encoder has it for clean images.

    Args:
        sigmas: standard deviations in pixels of the blurred levels.
        width: length of the embeddings.
    """

    full_state_update = False
    count: Tensor
    cosine: Tensor
    total: Tensor

    def __init__(self, sigmas: Sequence[float], width: int) -> None:
        super().__init__()
        self.levels = (0.0, *sigmas)
        shape = (len(self.levels), len(NAMES))
        self.add_state("count", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("cosine", torch.zeros(shape, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("total", torch.zeros(*shape, width, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, before: Tensor, after: Tensor) -> None:
        """Add images.

        Args:
            before: the frozen encoder's embeddings, `L x B x E`: clean first, then by level.
            after: the finetuned encoder's of the same images.
        """
        embeddings = functional.normalize(torch.stack([before, after], dim=1).double(), dim=-1)
        clean = embeddings[0, 0]
        self.count += clean.shape[0]
        self.cosine += (embeddings * clean).sum(dim=(2, 3))
        self.total += embeddings.sum(dim=2)

    def compute(self) -> dict[str, Tensor]:
        """Return the means over the images.

        Returns:
            `cosine_clean`, the finetuned encoder's clean embeddings to the frozen one's; `cosine`, the mean over the
            blurred levels after finetuning; `cosine_sigma_S/before|after` by level; and `pairwise_clean/before|after`,
            `pairwise_sigma_S/before|after`, the cosines among different images, where there are two.
        """
        cosine = self.cosine / self.count
        scores = {"cosine_clean": cosine[0, 1], "cosine": cosine[1:, 1].mean()}
        pairs = self.count * (self.count - 1)
        pairwise = (self.total.square().sum(dim=2) - self.count) / pairs
        for row, sigma in enumerate(self.levels):
            for column, name in enumerate(NAMES):
                if row:
                    scores[f"cosine_sigma_{sigma:g}/{name}"] = cosine[row, column]
                if pairs:
                    key = f"pairwise_sigma_{sigma:g}" if row else "pairwise_clean"
                    scores[f"{key}/{name}"] = pairwise[row, column]
        return {name: score.float() for name, score in scores.items()}


HEADINGS = ("blur (pixels)", "cosine before", "cosine after", "pairwise before", "pairwise after")


def _rows(sigmas: Sequence[float], scores: Mapping[str, float]) -> list[list[str]]:
    rows = [["0", "1.0000", f"{scores['cosine_clean']:.4f}", *_cells(scores, "pairwise_clean")]]
    for sigma in sigmas:
        cells = [*_cells(scores, f"cosine_sigma_{sigma:g}"), *_cells(scores, f"pairwise_sigma_{sigma:g}")]
        rows.append([f"{sigma:g}", *cells])
    return rows


def _cells(scores: Mapping[str, float], key: str) -> list[str]:
    """Before and after; empty where there was a single image and so no pair."""
    return [f"{scores[f'{key}/{name}']:.4f}" if f"{key}/{name}" in scores else "" for name in NAMES]


def as_markdown(sigmas: Sequence[float], scores: Mapping[str, float], header: str) -> str:
    """Return the scores as a table by blur level, what they were measured on in the first line."""
    lines = [header, "", "| " + " | ".join(HEADINGS) + " |", "|" + " ---: |" * len(HEADINGS)]
    lines += ["| " + " | ".join(row) + " |" for row in _rows(sigmas, scores)]
    return "\n".join(lines) + "\n"


def as_table(sigmas: Sequence[float], scores: Mapping[str, float], header: str) -> Table:
    """Return the same as a table for the terminal."""
    table = Table(*HEADINGS, title="Blurred to clean embeddings", caption=header)
    for row in _rows(sigmas, scores):
        table.add_row(*row)
    return table
