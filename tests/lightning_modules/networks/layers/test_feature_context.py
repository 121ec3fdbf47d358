"""Joined kernels of SFCSR against the convolutions they join, and the context from band to band."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from lightning_modules.networks.layers.feature_context import FeatureContext, Fusion, Stage
from lightning_modules.networks.layers.weight_norm import WeightNormKernel

FEATURES = 3


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def made(kind: torch.nn.Module) -> torch.nn.Module:
    """In double precision, with factors other than one."""
    with torch.no_grad():
        for name, parameter in kind.named_parameters():
            if "gamma" in name:
                parameter.copy_(torch.linspace(0.5, 1.7, len(parameter)))
    return kind.double()


def pointwise(layer: WeightNormKernel, images: Tensor) -> Tensor:
    """A 1 x 1 convolution of `B x F x H x W`."""
    return functional.conv2d(images, layer(), layer.bias)


def test_a_stages_joint_convolution_is_convolution_skip_and_reduction() -> None:
    stage = made(Stage(FEATURES))
    assert isinstance(stage, Stage)
    image, group = drawn(2, FEATURES, 5, 4), drawn(2, FEATURES, 3, 5, 4, seed=1)
    own = functional.conv2d(image, stage.image(), stage.image.bias, padding=1) + image
    expected = pointwise(stage.reduce, torch.cat((own, *group.unbind(2)), dim=1))
    kernels = stage.kernels()
    found = functional.conv2d(image, *kernels.image, padding=1) + torch.einsum("ofd,bfdhw->bohw", kernels.group, group)
    torch.testing.assert_close(found, expected)
    for number in range(2):
        cube = functional.conv3d(group, stage.space[number](), stage.space[number].bias, padding=(0, 1, 1))  # type: ignore[arg-type]
        kernel, bias = kernels.space[number]
        torch.testing.assert_close(functional.conv2d(group[:, :, 1], kernel, bias, padding=1), cube[:, :, 1])
        cube = functional.conv3d(group, stage.bands[number](), stage.bands[number].bias, padding=(1, 0, 0))  # type: ignore[arg-type]
        kernel, bias = kernels.bands[number]
        middle = torch.einsum("oft,bfthw->bohw", kernel, group) + bias[:, None, None]
        torch.testing.assert_close(middle, cube[:, :, 1])


def test_the_context_mixes_every_band_with_the_one_before() -> None:
    context = made(FeatureContext(FEATURES, detach=False))
    assert isinstance(context, FeatureContext)
    features = drawn(2, 4, FEATURES, 3, 2)
    expected = [features[:, 0]]
    for band in features[:, 1:].unbind(1):
        joined = torch.cat((context.gamma[0] * band, context.gamma[1] * expected[-1]), dim=1)
        # the factors weigh the products, not the bias between both convolutions
        expected.append(pointwise(context.mix, pointwise(context.reduce, joined)))
    found = context(features, None)
    torch.testing.assert_close(found, torch.stack(expected, dim=1))
    first = context(features[:, :1], None)
    rest = context(features[:, 1:], first[:, -1])
    torch.testing.assert_close(torch.cat((first, rest), dim=1), found)


def test_a_detached_context_gives_bands_before_no_gradient() -> None:
    for detach in (True, False):
        features = drawn(1, 3, FEATURES, 2, 2).requires_grad_()
        (gradient,) = torch.autograd.grad(made(FeatureContext(FEATURES, detach))(features, None)[:, 2].sum(), features)
        assert [bool(gradient[:, band].any()) for band in range(3)] == [not detach, not detach, True]


def test_fusion_kernels_are_the_layers_one_after_the_other() -> None:
    fusion = made(Fusion(FEATURES, stages=2))
    assert isinstance(fusion, Fusion)
    groups, images = drawn(2, 2, FEATURES, 3, 5, 4), drawn(2, 2, FEATURES, 5, 4, seed=1)
    weighted = (fusion.gamma_groups.view(2, 1, 1, 1, 1, 1) * groups).unbind(0)
    reduced = functional.conv3d(torch.cat(weighted, dim=1), fusion.reduce_groups(), fusion.reduce_groups.bias)
    spaced = functional.conv3d(reduced, fusion.groups_space(), fusion.groups_space.bias, padding=(0, 1, 1))
    mixed = functional.conv3d(spaced, fusion.groups_bands(), fusion.groups_bands.bias, padding=(1, 0, 0))
    small = pointwise(fusion.reduce_images, torch.cat((fusion.gamma_images.view(2, 1, 1, 1, 1) * images).unbind(0), 1))
    image = functional.conv2d(small, fusion.images_space(), fusion.images_space.bias, padding=1)
    parts = [factor * part for factor, part in zip(fusion.gamma_join, (*mixed.unbind(2), image), strict=True)]
    expected = pointwise(fusion.mix, pointwise(fusion.join, torch.cat(parts, dim=1)))

    kernels = fusion.kernels()
    ours = sum(torch.einsum("of,bfdhw->bodhw", kernels.groups[s, :, :, 0, 0], groups[s]) for s in range(2))
    ours = ours + fusion.reduce_groups.bias.view(-1, 1, 1, 1)
    bands = [functional.conv2d(band, *kernels.group_space, padding=1) for band in ours.unbind(2)]
    of_groups = torch.einsum("ofd,dbfhw->bohw", kernels.group_bands, torch.stack(bands))
    of_images = sum(functional.conv2d(images[s], kernels.images[s]) for s in range(2))
    of_images = of_images + kernels.image_bias[:, None, None]
    found = of_groups + functional.conv2d(of_images, *kernels.image_space, padding=1)
    torch.testing.assert_close(found, expected)
