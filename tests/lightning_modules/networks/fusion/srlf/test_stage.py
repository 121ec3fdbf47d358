"""A stage of SRLF against the published order of operations, and how a ratio is split into strides."""

from __future__ import annotations

import math

import pytest
import torch

from lightning_modules.networks.fusion.srlf.sensor import PairSensor
from lightning_modules.networks.fusion.srlf.stage import RelearningStage, ScanBlock, reduction_strides
from tests.pairs import pair, smooth
from tests.plain.srlf import scan_block, stage

RESPONSE = [[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1]]


def test_a_ratio_is_split_as_published_and_completely() -> None:
    assert reduction_strides(8) == [4, 2]
    assert {ratio: reduction_strides(ratio) for ratio in (2, 3, 4, 6, 7, 12, 15, 16, 18)} == {
        **{2: [2], 3: [3], 4: [4], 6: [2, 3], 7: [7], 12: [4, 3], 15: [3, 5], 16: [4, 4], 18: [2, 3, 3]}
    }
    for ratio in range(2, 40):
        assert math.prod(reduction_strides(ratio)) == ratio


@torch.no_grad()
def test_a_scan_block_is_its_plain_form() -> None:
    torch.manual_seed(0)
    block, features = ScanBlock(4, 0.0, "auto").eval(), torch.randn(2, 4, 3, 5)
    torch.testing.assert_close(block(features), scan_block(block, features, "reference"), rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("ratio", [2, 3])
def test_a_stage_is_its_plain_form(ratio: int) -> None:
    torch.manual_seed(1)
    one = RelearningStage(6, 3, ratio, 0.0, False, "auto").eval()
    sensor = PairSensor(6, 3, ratio, RESPONSE)
    cube, image = pair(6, 3, ratio, (4, 3), batch=2)
    features = smooth((2, 6, 4 * ratio, 3 * ratio), 3)
    found = one(features, cube, image, sensor)
    assert found.shape == features.shape
    expected = stage(one, features, cube, image, sensor, "reference")
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
