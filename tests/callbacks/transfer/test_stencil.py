"""Clamped shifts and their adjoints."""

import torch

from callbacks.transfer.stencil import clamp_fold, clamp_pad, interpolate, scatter, weight_gradient, windows


def test_padding_repeats_the_border_and_folding_is_its_adjoint() -> None:
    generator = torch.Generator().manual_seed(0)
    planes = torch.rand(2, 5, 6, generator=generator, dtype=torch.float64)
    padded = clamp_pad(planes, 3)
    expected = torch.nn.functional.pad(planes[None], (3, 3, 3, 3), mode="replicate")[0]
    assert torch.equal(padded, expected)
    other = torch.rand(padded.shape, generator=generator, dtype=torch.float64)
    inner = (padded * other).sum()
    assert torch.allclose((planes * clamp_fold(other.clone(), 3)).sum(), inner)


def test_hand_written_gradients_equal_autograd() -> None:
    generator = torch.Generator().manual_seed(1)
    planes = torch.rand(3, 2, 7, 9, generator=generator, dtype=torch.float64)
    weights = torch.rand(25, 2, 7, 9, generator=generator, dtype=torch.float64)
    gradient = torch.rand(3, 2, 7, 9, generator=generator, dtype=torch.float64)
    padded = clamp_pad(planes, 2).requires_grad_()
    leaf = weights.clone().requires_grad_()
    shifted = windows(padded, 5, 0, 7)
    value = (shifted * leaf.view(1, 5, 5, 2, 7, 9)).sum((1, 2))
    by_planes, by_weights = torch.autograd.grad((value * gradient).sum(), (padded, leaf))
    out = torch.empty_like(planes)
    interpolate(windows(padded.detach(), 5, 0, 7), weights, torch.empty_like(weights), out)
    assert torch.allclose(out, value.detach(), rtol=1e-13)
    weight_gradient(windows(padded.detach(), 5, 0, 7), gradient, out=(found := torch.empty_like(weights)))
    assert torch.allclose(found, by_weights, rtol=1e-13)
    spread = torch.zeros_like(by_planes)
    scatter(weights[:, :, :4], gradient[:, :, :4], spread, 0)
    scatter(weights[:, :, 4:], gradient[:, :, 4:], spread, 4)
    assert torch.allclose(spread, by_planes, rtol=1e-12)
