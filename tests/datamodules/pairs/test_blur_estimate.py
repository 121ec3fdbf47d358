"""The kernel of a pair without knowing the response; its middle, width and separable form."""

import torch

from datamodules.pairs.blur_estimate import Blur, estimate_blur


def test_a_kernel_is_found_whatever_the_mixture() -> None:
    generator = torch.Generator().manual_seed(0)
    high = torch.rand(2, 48, 48, generator=generator, dtype=torch.float64)
    kernel = torch.rand(5, 5, generator=generator, dtype=torch.float64)
    true = Blur(kernel / kernel.sum(), (-1, -1), 3)
    low = torch.einsum("kc,chw->khw", torch.tensor([[2.0, 1.0], [0.5, 3.0]], dtype=torch.float64), true.reduce(high))
    found = estimate_blur(low + 0.3, high, 3, reach=1)
    assert float((found.kernel - true.kernel).abs().max()) < 1e-6
    assert max(abs(one - other) for one, other in zip(found.centre, true.centre, strict=True)) < 1e-6


def test_a_blur_that_lies_further_on_is_found_around_its_place() -> None:
    high = torch.rand(3, 60, 60, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    line = torch.tensor([0.25, 0.5, 0.25], dtype=torch.float64)
    true = Blur(torch.outer(line, line), (4, -3), 4)
    found = estimate_blur(true.reduce(high), high, 4, reach=2, around=(4, -3))
    assert abs(found.centre[0] - 3.5) < 1e-6
    assert abs(found.centre[1] + 3.5) < 1e-6
    assert abs(found.width - 2.3548200450309493 * 0.5**0.5) < 1e-5
    spread = found.separable()
    assert abs(sum(spread.weights) - 1) < 1e-12
    assert abs(spread.centre - 1.5) < 1e-9


def test_a_mean_of_blocks_lies_in_its_middle() -> None:
    blur = Blur.block_mean(4)
    assert blur.centre == (0.0, 0.0)
    image = torch.arange(64.0).reshape(1, 8, 8)
    assert torch.allclose(blur.reduce(image)[0], torch.nn.functional.avg_pool2d(image, 4)[0])
