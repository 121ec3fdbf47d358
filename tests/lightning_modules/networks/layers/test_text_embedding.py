"""Embeddings of task sentences: given, made once when needed, or from a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from lightning_modules.networks.layers.text_embedding import TextEmbedding, TextSource

TASKS = ("noise", "blur")
ROWS = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]


class Counted(TextSource):
    """Gives the rows and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    def encode(self, tasks: Sequence[str]) -> Tensor:
        self.asked.append(tuple(tasks))
        return torch.tensor(ROWS)


def test_a_source_that_is_no_embedding_gives_a_sentence() -> None:
    with pytest.raises(TypeError, match="text_embedding is 'clip'; give a tensor tasks x channels"):
        TextEmbedding(TASKS, 3, "clip")  # type: ignore[arg-type]


@pytest.mark.parametrize("source", [ROWS, tuple(map(tuple, ROWS)), torch.tensor(ROWS, dtype=torch.float64)])
def test_given_embeddings_are_a_frozen_part_of_the_state(source: Tensor | list[list[float]]) -> None:
    embedding = TextEmbedding(TASKS, 3, source)
    assert embedding().tolist() == ROWS
    assert embedding().dtype == torch.float32
    assert list(embedding.parameters()) == []
    assert list(embedding.state_dict()) == ["embedding"]


def test_a_source_is_asked_once_and_not_before() -> None:
    source = Counted()
    embedding = TextEmbedding(TASKS, 3, source)
    assert bool(embedding.embedding.isnan().all())
    assert source.asked == []
    assert [embedding().tolist() for _ in range(3)] == [ROWS] * 3
    assert source.asked == [TASKS]


def test_loaded_embeddings_come_before_the_source_and_missing_ones_leave_the_own() -> None:
    source = Counted()
    embedding = nn.Sequential(TextEmbedding(TASKS, 3, source))
    loaded = torch.tensor(ROWS).flip(0)
    embedding.load_state_dict({"0.embedding": loaded})
    assert torch.equal(embedding[0](), loaded)
    assert source.asked == []
    for state in ({}, {"0.embedding": torch.full((2, 3), torch.nan)}):
        given = nn.Sequential(TextEmbedding(TASKS, 3, ROWS))
        given.load_state_dict(state)
        assert given[0]().tolist() == ROWS


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (torch.zeros(3, 3), r"text_embedding is \[3, 3\] but 2 tasks \(noise, blur\) need \[2, 3\]"),
        ([[0.0, 1.0, float("inf")], [0.0, 0.0, 0.0]], "text_embedding holds NaN or infinite values"),
    ],
)
def test_embeddings_that_do_not_fit_give_a_sentence(source: Tensor | list[list[float]], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        TextEmbedding(TASKS, 3, source)


def test_nothing_known_gives_a_sentence_when_it_is_needed() -> None:
    with pytest.raises(ValueError, match=r"no embeddings of its tasks' sentences; set text_embedding to TextPrompts"):
        TextEmbedding(TASKS, 3, None)()
