"""From tokens to the decoder's guide: what each variant gives, and padding that nobody sees."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lightning_modules.networks.fusion.co2if.adapters import ClipAdapters
from lightning_modules.networks.fusion.co2if.text_guide import TextGuide
from lightning_modules.networks.fusion.co2if.transport import CrossModalTransport, TransportForm
from tests.lightning_modules.networks.fusion.co2if.samples import random_tokens

MASK = torch.arange(7)[None] < torch.tensor([[4], [3]])


def guide(cot: TransportForm | None, use_w: bool = True) -> TextGuide:
    torch.manual_seed(0)
    transport = None if cot is None else CrossModalTransport(6, 3, cot=cot)
    return TextGuide(ClipAdapters(5, 4, 3), transport, use_w)


def features() -> Tensor:
    drawn: Tensor = random_tokens(2, 6, 12, 1).unflatten(2, (3, 4))
    return drawn


@torch.no_grad()
def test_places_that_are_padding_in_every_caption_are_left_out() -> None:
    module, tokens = guide("full"), random_tokens(2, 7, 5, 0)
    given = module(features(), tokens, MASK)
    short = module(features(), tokens[:, :4], MASK[:, :4])
    assert given.tokens is not None and given.mask is not None
    assert given.tokens.shape == (2, 4, 3)
    assert torch.equal(given.mask, MASK[:, :4])
    for one, other in zip(given, short, strict=True):
        assert torch.equal(one, other)


@torch.no_grad()
def test_a_guide_holds_the_transports_text_and_its_weights() -> None:
    module, tokens = guide("no_g"), random_tokens(2, 7, 5, 0)
    assert module.transport is not None
    moved = module.transport(features(), module.adapters(tokens), None)
    found = module(features(), tokens, None)
    assert found.mask is None
    assert found.image is not None and found.weight is not None
    torch.testing.assert_close(found.image, moved.text)
    torch.testing.assert_close(found.weight, moved.weight)


@torch.no_grad()
def test_without_weights_the_gate_is_gone_and_without_transport_only_tokens_are_left() -> None:
    tokens = random_tokens(2, 7, 5, 0)
    unweighted = guide("no_g", use_w=False)
    assert not [name for name, _ in unweighted.named_parameters() if "gate" in name]
    found = unweighted(features(), tokens, MASK)
    assert found.weight is None
    assert found.image is not None and found.image.shape == (2, 6, 3, 4)
    alone = guide(None)
    assert alone(features(), tokens, MASK).image is None
    assert float(alone.matching_loss(features(), tokens, MASK)) == 0


@torch.no_grad()
def test_the_loss_of_alignment_is_that_of_the_variant_cross_entropy() -> None:
    tokens = random_tokens(2, 7, 5, 0)
    module = guide("cross_entropy")
    assert module.transport is not None
    expected = module.transport.matching_loss(features(), module.adapters(tokens[:, :4]), MASK[:, :4])
    torch.testing.assert_close(module.matching_loss(features(), tokens, MASK), expected)
    assert float(expected) > 0
    assert float(guide("full").matching_loss(features(), tokens, MASK)) == 0


def test_tokens_that_do_not_fit_give_a_sentence() -> None:
    with pytest.raises(ValueError, match="give 2 x tokens x 5"):
        guide("full")(features(), random_tokens(2, 7, 6, 0), None)
