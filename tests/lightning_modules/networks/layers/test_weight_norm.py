"""Normalised kernels against PyTorch's own weight normalisation, and joint kernels against two convolutions."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from lightning_modules.networks.layers.weight_norm import WeightNormKernel, pointwise_after


def test_kernel_equals_pytorchs_weight_norm_also_when_transposed() -> None:
    generator = torch.Generator().manual_seed(0)
    for transposed in (False, True):
        kernel = WeightNormKernel(4, 6, (3, 2, 2), transposed=transposed)
        kind = nn.ConvTranspose3d if transposed else nn.Conv3d
        layer = parametrizations.weight_norm(kind(4, 6, (3, 2, 2)))
        assert kernel().shape == layer.weight.shape
        for parameter in kernel.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator)
        layer.parametrizations.weight.original0.data = kernel.weight_g.data.clone()
        layer.parametrizations.weight.original1.data = kernel.weight_v.data.clone()
        torch.testing.assert_close(kernel(), layer.weight)
        kernel().square().sum().backward()
        layer.weight.square().sum().backward()
        torch.testing.assert_close(kernel.weight_g.grad, layer.parametrizations.weight.original0.grad)
        torch.testing.assert_close(
            kernel.weight_v.grad, layer.parametrizations.weight.original1.grad, atol=1e-5, rtol=0
        )


def test_start_is_pytorchs_start_of_a_convolution() -> None:
    torch.manual_seed(0)
    kernel = WeightNormKernel(64, 128, (3, 3))
    assert sorted(kernel.state_dict()) == ["bias", "weight_g", "weight_v"]
    torch.testing.assert_close(kernel(), kernel.weight_v)
    bound = (64 * 9) ** -0.5
    assert 0.99 * bound < float(kernel.weight_v.detach().abs().max()) <= bound
    assert 0.9 * bound < float(kernel.bias.detach().abs().max()) <= bound


def test_joint_convolution_equals_the_two_in_a_row() -> None:
    generator = torch.Generator().manual_seed(1)
    x, kernel, bias, matrix = (torch.randn(s, generator=generator) for s in ((2, 3, 5, 4), (6, 3, 3, 3), (6,), (2, 6)))
    joint_kernel, joint_bias = pointwise_after(matrix, kernel, bias)
    joint = functional.conv2d(x, joint_kernel, joint_bias, padding=1)
    expected = functional.conv2d(functional.conv2d(x, kernel, bias, padding=1), matrix[..., None, None])
    torch.testing.assert_close(joint, expected, rtol=1e-4, atol=1e-4)
