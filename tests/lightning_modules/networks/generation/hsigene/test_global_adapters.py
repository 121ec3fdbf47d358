"""Text, content and metadata against their plain forms, token by token."""

from __future__ import annotations

import math

import torch

from lightning_modules.networks.generation.hsigene.global_adapters import (
    ContentAdapter,
    MetadataEmbedding,
    TextAdapter,
)
from lightning_modules.networks.generation.hsigene.network import HSIGeneNetwork
from tests.lightning_modules.networks.generation.hsigene.drawn import SIDE, draw
from tests.lightning_modules.networks.generation.hsigene_official import PlainForm


def test_context_and_metadata_are_the_plain_form(network: HSIGeneNetwork, plain: PlainForm) -> None:
    text, content, metadata = draw(2, 77, 16), draw(2, 16), draw(2, 7)
    conditions = network.conditions(text, content, metadata, side=SIDE, strength=0.7)
    torch.testing.assert_close(conditions.context, plain.context(text, content, 0.7), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(conditions.metadata, plain.metadata(metadata), rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_tokens_are_adapted_one_by_one_and_an_embedding_becomes_four() -> None:
    torch.manual_seed(0)
    text, content, tokens = TextAdapter(6), ContentAdapter(6), draw(2, 5, 6)
    torch.testing.assert_close(text(tokens)[1, 3], text(tokens[1:, 3:4])[0, 0])
    four = content(tokens[:, 0])
    assert four.shape == (2, 4, 6)
    whole = content.second(content.norm2(content.first(content.norm1(tokens[:, 0]))))
    torch.testing.assert_close(four[:, 2], whole[:, 12:18])


@torch.no_grad()
def test_metadata_are_interleaved_waves_that_are_summed() -> None:
    torch.manual_seed(1)
    embedding, numbers = MetadataEmbedding(2, 4, 3, 10.0), torch.tensor([[0.03, -0.2]])
    expected = torch.zeros(3)
    for number, projection in zip(numbers[0].tolist(), embedding.projections, strict=True):
        waves = []
        for exponent in (0.0, 0.5):
            angle = number * 10.0 * 10000.0**-exponent
            waves += [math.sin(angle), math.cos(angle)]
        expected += projection(torch.tensor(waves))
    torch.testing.assert_close(embedding(numbers)[0], expected, rtol=1e-4, atol=1e-5)
