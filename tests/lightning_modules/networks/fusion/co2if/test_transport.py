"""The module around the plan: Eq. 4, the rows of Table 2, masks, precision, sentences."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from lightning_modules.networks.fusion.co2if.transport import MAXIMUM_BETA, CrossModalTransport, TransportForm
from tests.lightning_modules.networks.fusion.co2if.samples import random_tokens

FORMS = get_args(TransportForm)


def inputs(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    """Features `2 x 6 x 8 x 7`, 9 text tokens of 10 channels, and a mask of different lengths."""
    features = random_tokens(2, 6, 56, 0, dtype).unflatten(2, (8, 7))
    mask = torch.arange(9)[None] < torch.tensor([[9], [4]])
    return features, random_tokens(2, 9, 10, 1, dtype), mask


def module(**settings: Any) -> CrossModalTransport:  # noqa: ANN401
    torch.manual_seed(0)
    return CrossModalTransport(6, 10, **settings)


@pytest.mark.parametrize("width", [None, 4])
@pytest.mark.parametrize("cot", FORMS)
def test_equation_4_and_the_convex_combination(cot: TransportForm, width: int | None) -> None:
    network = module(cot=cot, width=width)
    features, text, mask = inputs()
    with torch.no_grad():
        check_equation_4(network, features, text, mask)


def check_equation_4(network: CrossModalTransport, features: Tensor, text: Tensor, mask: Tensor) -> None:
    weight, aligned, plan = network(features, text, mask)
    assert weight.shape == aligned.shape == features.shape
    assert plan.shape == (2, 56, 9)
    shares = plan / plan.sum(dim=2, keepdim=True)
    assert torch.allclose(shares.sum(dim=2), torch.ones(2, 56), atol=1e-6)
    assert torch.allclose(plan.sum(dim=(1, 2)), torch.ones(2), atol=1e-5)
    values = network.restore_width(network.project_text(text))
    expected = torch.einsum("bnm,bmc->bcn", shares, values).unflatten(2, (8, 7))
    assert torch.allclose(aligned, expected, atol=1e-5)
    gated = torch.sigmoid(network.gate(features)) * features
    assert torch.allclose(weight, expected + gated + features, atol=1e-5)
    for number, length in enumerate((9, 4)):
        real = values[number, :length]
        assert bool((aligned[number].flatten(1) <= real.amax(dim=0)[:, None] + 1e-5).all())
        assert bool((aligned[number].flatten(1) >= real.amin(dim=0)[:, None] - 1e-5).all())
        assert float(plan[number, :, length:].abs().sum()) == 0


def test_without_transport_every_pixel_gets_the_mean_word() -> None:
    features, text, mask = inputs()
    network = module(cot="none").requires_grad_(False)
    aligned = network(features, text, mask).text
    assert torch.allclose(aligned[1, :, 3, 3], network.project_text(text[1, :4]).mean(dim=0), atol=1e-6)
    assert float((aligned - aligned[:, :, :1, :1]).abs().max()) < 1e-6
    unmasked = network(features, text).text
    assert torch.allclose(unmasked[1, :, 0, 0], network.project_text(text[1]).mean(dim=0), atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("cot", ["no_g", "full"])
def test_words_are_used_alike_by_transport_only(cot: TransportForm) -> None:
    features, text, mask = inputs()
    used = module(cot=cot)(features, text, mask).plan.sum(dim=1)
    assert float((used - mask / mask.sum(dim=1, keepdim=True)).abs().sum()) < 1e-4
    free = module(cot="cross_entropy")(features, text, mask).plan.sum(dim=1)
    assert float((free - mask / mask.sum(dim=1, keepdim=True)).abs().sum()) > 1e-2


@torch.no_grad()
def test_variants_differ() -> None:
    features, text, mask = inputs()
    settings: list[dict[str, Any]] = [{"cot": cot} for cot in FORMS] + [{"mutual_information": "global"}]
    settings.append({"smooth_steps": 0})
    plans = [module(**each)(features, text, mask).plan for each in settings]
    for first in range(len(plans)):
        for second in range(first):
            change = float((plans[first] - plans[second]).abs().sum())
            assert change > 1e-3, (settings[first], settings[second])


@pytest.mark.parametrize("cot", FORMS)
def test_order_of_words_and_their_padding_do_not_matter(cot: TransportForm) -> None:
    network = module(cot=cot, tolerance=1e-12, iterations=200).double()
    features, text, mask = inputs(torch.float64)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(0))
    changed = torch.where(mask[..., None], text, 1e3 * torch.ones_like(text))
    expected = network(features, text, mask)
    found = network(features, changed[:, order], mask[:, order])
    assert torch.allclose(found.text, expected.text, atol=1e-7)
    assert torch.allclose(found.weight, expected.weight, atol=1e-7)
    assert torch.allclose(found.plan, expected.plan[:, :, order], atol=1e-9)


@pytest.mark.parametrize("cot", FORMS)
def test_gradient_reaches_every_parameter_and_both_inputs(cot: TransportForm) -> None:
    network = module(cot=cot)
    features, text, mask = (tensor.requires_grad_(tensor.is_floating_point()) for tensor in inputs())
    output = network(features, text, mask)
    (output.weight.square().mean() + output.text.square().mean()).backward()
    for name, parameter in [*network.named_parameters(), ("features", features), ("text", text)]:
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().max()) > 0, name
    assert text.grad is not None
    assert float(text.grad[1, 4:].abs().max()) == 0
    assert {"raw_beta" in dict(network.named_parameters())} == {cot in ("no_g", "full")}


def test_gradcheck_of_the_module() -> None:
    network = module(epsilon=0.1, iterations=300, tolerance=1e-13, temperature=0.3, initial_beta=0.05).double()
    features, text, _ = inputs(torch.float64)

    def run(features: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        output = network(features, text)
        return output.weight, output.text

    values = (features[:1, :, :2, :2].clone().requires_grad_(), text[:1, :3].clone().requires_grad_())
    assert torch.autograd.gradcheck(run, values, atol=1e-6)


@pytest.mark.parametrize("cot", FORMS)
def test_bfloat16_autocast_trains_fifty_steps(cot: TransportForm) -> None:
    network = module(cot=cot)
    features, text, mask = inputs()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    target = random_tokens(2, 6, 56, 5).view_as(features)
    first = last = torch.tensor(0.0)
    for step in range(50):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output = network(features, text, mask)
            last = (output.weight - target).abs().mean() + network.matching_loss(features, text, mask)
        first = last.detach() if step == 0 else first
        assert output.plan.dtype == torch.float32
        optimiser.zero_grad()
        last.backward()
        gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
        assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients)
        optimiser.step()
    assert last.item() < first.item()


@torch.no_grad()
def test_autocast_changes_only_the_gate() -> None:
    network = module()
    features, text, mask = inputs()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = network(features, text, mask)
    exact = network(features, text, mask)
    assert torch.equal(rounded.plan, exact.plan)
    assert torch.equal(rounded.text, exact.text)
    assert 0 < float((rounded.weight - exact.weight).abs().max()) < 0.02
    assert network(features.bfloat16().to(torch.float32), text, mask).weight.dtype == torch.float32


@torch.no_grad()
def test_beta_starts_where_told_and_stays_within_its_bounds() -> None:
    assert abs(module(initial_beta=0.01).beta.item() - 0.01) < 1e-6
    assert abs(module(initial_beta=0.09).beta.item() - 0.09) < 1e-5
    network = module(initial_beta=0.01)
    for raw, wanted in ((-30.0, 0.0), (30.0, MAXIMUM_BETA)):
        network.raw_beta.data.fill_(raw)  # type: ignore[union-attr]
        assert abs(network.beta.item() - wanted) < 1e-6
    with pytest.raises(ValueError, match=r"initial_beta below 0\.1"):
        module(initial_beta=0.1)
    assert float(module(smooth_steps=0).beta) == 0


@torch.no_grad()
def test_matching_loss_belongs_to_cross_entropy() -> None:
    features, text, mask = inputs()
    assert float(module(cot="cross_entropy").matching_loss(features, text, mask)) > 0
    assert float(module(cot="full").matching_loss(features, text, mask)) == 0


def test_sentences() -> None:
    features, text, mask = inputs()
    with pytest.raises(ValueError, match="cot 'sinkhorn' is unknown; choose one of none, cross_entropy, no_g, full"):
        module(cot="sinkhorn")
    with pytest.raises(ValueError, match="mutual_information 'x' is unknown; choose one of pointwise, global"):
        module(mutual_information="x")
    with pytest.raises(ValueError, match="must be positive, initial_beta below"):
        module(epsilon=-1.0)
    for wrong in (text[:1], text[..., :9], text[0]):
        with pytest.raises(ValueError, match="give 2 captions of 10 channels as B x M x C"):
            module()(features, wrong, None)
    with pytest.raises(ValueError, match=r"boolean mask of shape \(2, 9\)"):
        module(cot="none")(features, text, mask[:1])
    with pytest.raises(ValueError, match="Caption 1 of the batch has no text token left"):
        module(cot="cross_entropy")(features, text, mask & torch.tensor([[True], [False]]))
    with pytest.raises(ValueError, match="not finite; look for NaN"):
        module()(features * torch.nan, text, mask)
