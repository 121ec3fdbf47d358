"""Logits behind a softmax, moved by Adam, against autograd and torch.optim."""

from __future__ import annotations

import pytest
import torch

from callbacks.transfer.softmax_parameters import SoftmaxParameters


def test_the_fused_step_refuses_strided_gradients() -> None:
    parameters = SoftmaxParameters(torch.zeros(4, 1, 3, 3), 0.05, 1e-8)
    with pytest.raises(ValueError, match="needs a contiguous gradient"):
        parameters.step(torch.zeros(4, 1, 3, 6)[..., ::2])


@pytest.mark.parametrize("temperature", [1.0, 0.3, 2.0])
def test_gradient_of_the_weights_becomes_that_of_the_logits(temperature: float) -> None:
    generator = torch.Generator().manual_seed(0)
    logits, direction = torch.randn(2, 5, 2, 3, 4, generator=generator, dtype=torch.float64)
    parameters = SoftmaxParameters(logits.clone(), 0.05, 1e-8, temperature)
    leaf = logits.clone().requires_grad_()
    weights = (leaf / temperature).softmax(0)
    (expected,) = torch.autograd.grad((weights * direction).sum(), leaf)
    torch.testing.assert_close(parameters.weights, weights.detach())
    mean = (parameters.weights * direction).sum(0)
    torch.testing.assert_close(parameters.logit_gradient(direction.clone(), mean), expected)


def test_steps_are_those_of_torch_adam_and_renew_the_weights() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(4, 1, 3, 3, generator=generator)
    leaf = logits.clone().requires_grad_()
    optimizer = torch.optim.Adam([leaf], lr=0.05, eps=1e-6)
    parameters = SoftmaxParameters(logits, 0.05, 1e-6)
    for _ in range(4):
        gradient = torch.randn(4, 1, 3, 3, generator=generator)
        leaf.grad = gradient.clone()
        optimizer.step()
        parameters.step(gradient)
        torch.testing.assert_close(parameters.logits, leaf.detach(), rtol=1e-5, atol=1e-6)
    assert parameters.logits is logits, "moved in place"
    torch.testing.assert_close(parameters.weights, leaf.detach().softmax(0))
    torch.testing.assert_close(parameters.weights.sum(0), torch.ones(1, 3, 3))
