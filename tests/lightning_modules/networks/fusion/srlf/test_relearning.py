"""Learning chosen pixels again: attention among channels, whatever the pixels' order, added where they lie."""

from __future__ import annotations

import torch

from lightning_modules.networks.fusion.srlf.relearning import ChannelAttention, Relearning, relearn
from tests.plain.srlf import refined


def test_attention_is_among_channels_over_the_chosen_pixels() -> None:
    torch.manual_seed(0)
    attention, pixels = ChannelAttention(7, heads=3), torch.randn(2, 5, 7)
    with torch.no_grad():
        attention.rescale.copy_(torch.tensor([1.0, 4.0, 9.0]).view(3, 1, 1))
        query, key, value = (layer(pixels) for layer in (attention.query, attention.key, attention.value))
        assert query.shape[-1] == 6, "the width that three heads divide"
        query, key = (one / one.norm(dim=1, keepdim=True) for one in (query, key))
        attended = torch.zeros(2, 5, 6)
        for channel in range(6):
            head = range(2 * (channel // 2), 2 * (channel // 2) + 2)
            scores = torch.stack([(key[..., channel] * query[..., other]).sum(1) for other in head], dim=1)
            shares = torch.softmax(scores * attention.rescale[channel // 2, 0, 0], dim=1)
            for place, other in enumerate(head):
                attended[..., channel] += shares[:, place, None] * value[..., other]
        expected = attention.project(attended) + attention.position(value)
        found = attention(pixels)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    order = torch.tensor([3, 1, 4, 0, 2])
    torch.testing.assert_close(attention(pixels[:, order]), attention(pixels)[:, order], rtol=1e-4, atol=1e-5)


def test_what_is_learned_is_added_at_the_chosen_pixels_alone() -> None:
    torch.manual_seed(1)
    refine, features = Relearning(4).eval(), torch.randn(2, 4, 3, 5)
    numbers = torch.tensor([[2, 7, 14], [0, 1, 9]])
    with torch.no_grad():
        found = relearn(features, [numbers], refine)
        expected = features.flatten(2).clone()
        for image in range(2):
            tokens = expected[image][:, numbers[image]].T[None]
            expected[image][:, numbers[image]] += refine(tokens)[0].T
        torch.testing.assert_close(found, expected.view_as(features))
        torch.testing.assert_close(found, refined(refine, features, numbers))
        own = relearn(features, [numbers[:1], numbers[1:, :2]], refine)
    torch.testing.assert_close(own[:1], found[:1])
    assert int((own[1] != features[1]).any(0).sum()) == 2


def test_no_chosen_pixel_changes_nothing() -> None:
    features = torch.randn(2, 4, 3, 5)
    assert torch.equal(relearn(features, [torch.zeros(2, 0, dtype=torch.long)], Relearning(4)), features)
