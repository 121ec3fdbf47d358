"""What is asked of a pair of images, and continuing both over the same ground."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from lightning_modules.networks.fusion.pair import check_pair, check_positive, mirror_to_multiple, pad_pair
from tests.pairs import mirrored, pair


def test_the_first_size_below_one_is_named() -> None:
    check_positive("Net", dim=1, ratio=4)
    with pytest.raises(ValueError, match="Net: heads 0 is below 1; give a positive whole number"):
        check_positive("Net", dim=2, heads=0, ratio=-1)


def test_pairs_of_other_bands_channels_or_ground_are_refused() -> None:
    cube, image = pair(5, 3, 4, (3, 2), batch=2)
    check_pair("Net", cube, image, 5, 3, 4)
    refused = (
        ((cube, image, 6, 3, 4), r"Net: the low-resolution cube has shape \(2, 5, 3, 2\) but the network has 6 bands"),
        ((cube[0], image, 5, 3, 4), "build the network with input_channels of that many bands"),
        ((cube, image, 5, 4, 4), "the network has 4 channels; give B x channels x H x W"),
        ((cube, image, 5, 3, 2), r"a cube of 3 x 2 pixels at ratio 2 needs \(2, 3, 6, 4\); crop both"),
        ((cube, image[:1], 5, 3, 4), r"has shape \(1, 3, 12, 8\) where"),
    )
    for (one, other, bands, channels, ratio), sentence in refused:
        with pytest.raises(ValueError, match=sentence):
            check_pair("Net", one, other, bands, channels, ratio)


def test_a_row_is_continued_with_its_edge_repeated_and_there_and_back() -> None:
    row = torch.arange(3.0).view(1, 1, 1, 3)
    assert mirror_to_multiple(row, 8)[0, 0, 0].tolist() == [0, 1, 2, 2, 1, 0, 0, 1]
    assert mirror_to_multiple(row, 8).shape == (1, 1, 8, 8)
    whole = torch.rand(1, 2, 4, 8)
    assert mirror_to_multiple(whole, 4) is whole


@pytest.mark.parametrize("size", [(3, 5), (1, 9), (4, 4)])
def test_both_images_go_on_to_show_the_same_ground(size: tuple[int, int]) -> None:
    ratio = 3
    cube = torch.rand(2, 2, *size, generator=torch.Generator().manual_seed(0))
    image = cube.repeat_interleave(ratio, -1).repeat_interleave(ratio, -2)
    longer, larger = pad_pair(cube, image, ratio, 4)
    height, width = (-(-side // 4) * 4 for side in size)
    assert torch.equal(longer, mirrored(cube, height, width))
    assert torch.equal(larger, mirrored(image, ratio * height, ratio * width))
    torch.testing.assert_close(functional.avg_pool2d(larger, ratio), longer)
