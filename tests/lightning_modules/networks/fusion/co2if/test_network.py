"""CO2IF as a whole: inputs of every kind, the paper's ablations, its size, training, sentences."""

from __future__ import annotations

import itertools
from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from lightning_modules.networks import CO2IF
from lightning_modules.networks.flops import count_flops
from lightning_modules.networks.fusion.co2if.mixers import MixerName
from lightning_modules.networks.fusion.co2if.transport import TransportForm
from lightning_modules.networks.upsampled import upsample_bicubic
from lightning_modules.restorer.tiles import in_tiles

TINY: dict[str, Any] = {
    "input_channels": 5,
    "dim": 8,
    "encoder_blocks": 1,
    "decoder_blocks": 1,
    "feed_forward": 2,
    "state_dim": 2,
    "text_width": 12,
    "image_width": 10,
    "embedding_width": 6,
    "heads": 2,
}
Inputs = tuple[Tensor, Tensor, Tensor, Tensor]


def built(awake: bool = True, **settings: Any) -> CO2IF:  # noqa: ANN401
    """A tiny network; awake: its last convolution drawn instead of zero, so that everything shows in the output."""
    torch.manual_seed(0)
    network = CO2IF(**(TINY | settings))
    if awake:
        torch.nn.init.normal_(network.get_parameter("tail.2.weight"), std=0.1)
    return network


def triplet(
    bands: int = 5, channels: int = 3, ratio: int = 8, size: tuple[int, int] = (2, 3), batch: int = 2
) -> Inputs:
    """Cube, multispectral image, 9 text tokens and their mask (the second caption has 4)."""
    generator = torch.Generator().manual_seed(1)
    low = torch.rand(batch, bands, *size, generator=generator)
    high = torch.rand(batch, channels, ratio * size[0], ratio * size[1], generator=generator)
    tokens = torch.randn(batch, 9, 12, generator=generator)
    mask = torch.arange(9)[None] < torch.tensor([9, 4])[torch.arange(batch) % 2][:, None]
    return low, high, tokens, mask


@pytest.mark.parametrize(
    ("bands", "channels", "ratio", "size"),
    [(31, 3, 4, (3, 2)), (128, 4, 8, (1, 2)), (31, 3, 16, (1, 1)), (5, 1, 32, (1, 1))],
)
def test_any_ratio_bands_and_size_start_as_the_enlarged_cube(
    bands: int, channels: int, ratio: int, size: tuple[int, int]
) -> None:
    network = built(False, input_channels=bands, multispectral_channels=channels, ratio=ratio)
    inputs = triplet(bands, channels, ratio, size)
    fused = network(*inputs)
    assert torch.equal(fused, upsample_bicubic(inputs[0], ratio))
    fused.square().mean().backward()
    gradient = network.get_parameter("tail.2.weight").grad
    assert gradient is not None
    assert bool(gradient.any())


VARIANTS = [
    *({"cot": cot} for cot in get_args(TransportForm)),
    *({"mixer": mixer, "use_w": use_w} for mixer, use_w in itertools.product(get_args(MixerName), (True, False))),
    {"use_text": False},
    {"use_msi": False},
    {"use_text": False, "use_msi": False},
    {"expand": 2},
    {"word_marginals": "unbalanced"},
]


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
def test_a_variant_runs_and_all_its_parameters_learn(settings: dict[str, Any]) -> None:
    network = built(**settings)
    inputs = triplet()
    loss = (network(*inputs) - 0.5).square().mean() + network.matching_loss(inputs[0], inputs[2], inputs[3])
    if network.use_text:
        generator = torch.Generator().manual_seed(2)
        text, image = network.embed(inputs[2], inputs[3], torch.randn(2, 10, generator=generator))
        assert network.logit_scale is not None
        loss = loss + ((text @ image.T) * network.logit_scale.exp()).square().mean()
    loss.backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert bool(torch.isfinite(parameter.grad).all()), name
        assert bool(parameter.grad.any()) or name.endswith("project_image.bias"), name


def changed(network: CO2IF, number: int) -> bool:
    """Whether another input at this place changes the output."""
    inputs = list(triplet())
    with torch.no_grad():
        before = network(*inputs)
        inputs[number] = inputs[number].flip(0).roll(1, 1)
        return not torch.allclose(network(*inputs), before, rtol=0, atol=1e-6)


@pytest.mark.parametrize("mixer", get_args(MixerName))
def test_each_modality_is_heard_unless_it_is_switched_off(mixer: MixerName) -> None:
    assert all(changed(built(mixer=mixer), number) for number in (0, 1, 2))
    assert not changed(built(mixer=mixer, use_text=False), 2)
    assert not changed(built(mixer=mixer, use_msi=False), 1)


def test_switched_off_inputs_need_not_be_given() -> None:
    low, high, tokens, mask = triplet()
    with torch.no_grad():
        assert built(use_text=False)(low, high).shape == (2, 5, 16, 24)
        assert built(use_msi=False)(low, None, tokens, mask).shape == (2, 5, 16, 24)
        assert built(use_text=False, use_msi=False)(low).shape == (2, 5, 16, 24)


def test_padding_of_captions_and_company_in_a_batch_change_nothing() -> None:
    network, (low, high, tokens, mask) = built(), triplet()
    with torch.no_grad():
        together = network(low, high, tokens, mask)
        alone = network(low[1:], high[1:], tokens[1:, :4])
        padded = torch.cat((tokens, torch.full((2, 68, 12), 50.0)), dim=1)
        longer = network(low, high, padded, torch.cat((mask, torch.zeros(2, 68, dtype=torch.bool)), dim=1))
    assert torch.allclose(together[1:], alone, atol=1e-5)
    assert torch.allclose(together, longer, atol=1e-6)


def test_ablations_of_lambda_and_gamma_reach_every_block() -> None:
    network, (low, high, tokens, mask) = built(scale_b=0.0, scale_c=0.0), triplet()
    scanned = [block.mixer for block in (*network.encoder, *network.decoder)]
    assert [(one.scale_b, one.scale_c) for one in scanned] == [(0.0, 0.0)] * 2
    assert all(one.parameters_of_guide is not None for one in scanned)
    with torch.no_grad():
        before = network(low, high, tokens, mask)
        for one in scanned:
            one.scale_b, one.scale_c = 0.1, 0.1
        assert float((network(low, high, tokens, mask) - before).abs().mean()) > 1e-4


def test_the_default_size_costs_about_what_the_paper_says() -> None:
    network = CO2IF()
    assert sum(parameter.numel() for parameter in network.parameters()) == 3_278_913
    narrow = built(dim=16, encoder_blocks=1, decoder_blocks=2, cot="none")
    small, large = (count_flops(narrow, *triplet(size=size, batch=1)) for size in ((2, 2), (4, 4)))
    # three blocks, four directions of 16 channels with 2 states: 9 operations, 2 of the guide, less 2 in `products`
    assert large.scans == 4 * small.scans == 3 * (4 * 16) * 2 * 32 * 32 * (9 + 2 - 2)
    assert 3.9 < large.products / small.products < 4.1
    assert large.total == large.products + large.scans


def test_whole_images_in_tiles() -> None:
    network, (low, high, tokens, mask) = built(cot="none"), triplet(size=(6, 6), batch=1)

    def with_text(low: Tensor, high: Tensor) -> Tensor:
        fused: Tensor = network(low, high, tokens, mask)
        return fused

    assert in_tiles(with_text, low, high, tile=4).shape == (1, 5, 48, 48)


@pytest.mark.parametrize("mixer", ["comamba", "cross_attention"])
def test_fifty_steps_in_half_precision_stay_finite_and_learn(mixer: MixerName) -> None:
    network, (low, high, tokens, mask) = built(False, mixer=mixer, cot_smooth_steps=1), triplet(size=(2, 2))
    target = upsample_bicubic(low, 8) + 0.3 * high[:, :1] - 0.1
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    losses = []
    for _ in range(50):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = (network(low, high, tokens, mask).float() - target).abs().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert all(bool(torch.isfinite(parameter).all()) for parameter in network.parameters())
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize("settings", [{"mixer": mixer} for mixer in get_args(MixerName)] + [{"cot": "none"}], ids=str)
@pytest.mark.parametrize(("precision", "bound"), [(torch.bfloat16, 0.05), (torch.float16, 0.006)], ids=str)
def test_a_network_cast_to_half_precision_fuses_and_learns(
    settings: dict[str, Any], precision: torch.dtype, bound: float
) -> None:
    """What `trainer.precision` bf16-true and 16-true do."""
    low, high, tokens, mask = triplet()
    expected = built(**settings)(low, high, tokens, mask)
    network = built(**settings).to(precision)
    fused = network(low.to(precision), high.to(precision), tokens.to(precision), mask)
    assert fused.dtype == precision
    assert float((fused.float() - expected).abs().max()) < bound
    text, image = network.embed(tokens.to(precision), mask, torch.randn(2, 10).to(precision))
    assert network.logit_scale is not None
    (fused.float().square().mean() + ((text @ image.T) * network.logit_scale.exp()).square().mean()).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert bool(torch.isfinite(parameter.grad).all()), name


def test_embeddings_are_unit_vectors_of_the_tokens_that_the_transport_sees() -> None:
    network, tokens = built(), torch.randn(3, 4, 12, generator=torch.Generator().manual_seed(4)) * 9
    mask = torch.tensor([[True, True, True, False]]).expand(3, -1)
    text, image = network.embed(tokens, mask, torch.randn(3, 10))
    assert text.shape == image.shape == (3, 6)
    assert torch.allclose(torch.cat((text, image)).norm(dim=1), torch.ones(6))
    assert network.logit_scale is not None
    assert network.logit_scale.exp().item() == pytest.approx(1 / 0.07, rel=1e-5)
    assert network.text_guide is not None
    mean = network.text_guide.adapters(tokens)[:, :3].mean(dim=1)
    assert torch.allclose(text, mean / mean.norm(dim=1, keepdim=True), atol=1e-6)
    assert built(use_text=False).logit_scale is None


def test_matching_loss_belongs_to_cross_entropy_alone() -> None:
    low, _, tokens, mask = triplet()
    assert built().matching_loss(low, tokens, mask).item() == 0
    assert built(cot="cross_entropy").matching_loss(low, tokens, mask).item() > 0.01


@pytest.mark.parametrize(
    ("place", "wrong", "sentence"),
    [
        (0, torch.rand(5, 2, 3), "the low-resolution cube has shape"),
        (1, torch.rand(2, 3, 16, 16), r"a cube of 2 x 3 pixels at ratio 8 needs \(2, 3, 16, 24\); crop both"),
        (2, None, "the text tokens are missing; give captions, or build with use_text=False"),
        (3, torch.ones(2, 8, dtype=torch.bool), "The text mask is torch.bool of shape"),
    ],
)
def test_inputs_that_do_not_belong_together_give_a_sentence(place: int, wrong: Tensor | None, sentence: str) -> None:
    inputs: list[Tensor | None] = list(triplet())
    inputs[place] = wrong
    with pytest.raises(ValueError, match=sentence):
        built()(*inputs)


def test_impossible_settings_give_a_sentence() -> None:
    for settings, sentence in (
        ({"mixer": "mamba"}, "CO2IF: mixer 'mamba' is unknown"),
        ({"cot": "sinkhorn"}, "cot 'sinkhorn' is unknown"),
        ({"ratio": 0}, "CO2IF: ratio 0 is below 1; give a positive whole number"),
    ):
        with pytest.raises(ValueError, match=sentence):
            built(**settings)
    with pytest.raises(ValueError, match="use_text=False has no embeddings to contrast"):
        built(use_text=False).embed(torch.rand(1, 2, 12), None, torch.rand(1, 10))
    with pytest.raises(ValueError, match="image embeddings of 9 channels but the network was built for 12 and 10"):
        built().embed(torch.rand(1, 2, 12), None, torch.rand(1, 9))
