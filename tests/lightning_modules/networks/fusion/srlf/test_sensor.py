"""Both sensors of SRLF: rows that sum to one, the blur pixel by pixel, and sentences."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.networks.fusion.srlf.sensor import NIKON_D700, PairSensor, gaussian_spread

RESPONSE = [[1.0, 1.0, 2.0], [0.0, 0.0, 5.0]]


def test_the_published_blur_is_a_normalised_gaussian() -> None:
    spread = gaussian_spread()
    assert spread.shape == (7,)
    assert float(spread.sum()) == pytest.approx(1.0, abs=1e-6)
    assert float(spread[3] / spread[0]) == pytest.approx(torch.tensor(0.5).exp().item(), rel=1e-5)
    assert torch.equal(spread, spread.flip(0))


def test_rows_sum_to_one_and_a_nikon_is_known_where_it_fits() -> None:
    assert PairSensor(3, 2, 4, RESPONSE).response.tolist() == [[0.25, 0.25, 0.5], [0.0, 0.0, 1.0]]
    nikon = PairSensor(31, 3, 8, None)
    assert nikon.known
    torch.testing.assert_close(nikon.response.sum(1), torch.ones(3))
    assert float(nikon.response[2, 6]) == pytest.approx(30 / sum(NIKON_D700[2]), rel=1e-6)
    assert not PairSensor(30, 3, 8, None).known
    assert nikon.state_dict() == {}


def test_the_camera_sees_weighted_bands_clamped() -> None:
    sensor, features = PairSensor(3, 2, 4, RESPONSE), torch.randn(2, 3, 2, 5)
    seen = sensor.multispectral(features)
    expected = (0.25 * features[:, 0] + 0.25 * features[:, 1] + 0.5 * features[:, 2]).clamp(0, 1)
    torch.testing.assert_close(seen[:, 0], expected)
    torch.testing.assert_close(seen[:, 1], features[:, 2].clamp(0, 1))


@pytest.mark.parametrize(("spread", "first"), [(None, None), ([0.2, 0.5, 0.3], 0), ([0.5, 0.5], -1), ([1.0], 0)])
def test_the_spectrometer_sees_blocks_through_the_blur(spread: list[float] | None, first: int | None) -> None:
    sensor = PairSensor(3, 2, 2, RESPONSE)
    if spread is not None:
        sensor.observe_by(torch.tensor(RESPONSE), spread, first)
    weights, begin = sensor.spread.tolist(), sensor.first
    features = torch.rand(1, 3, 6, 8, generator=torch.Generator().manual_seed(0))
    found = sensor.hyperspectral(features)
    assert found.shape == (1, 3, 3, 4)
    for row, column in ((0, 0), (1, 2), (2, 3)):
        expected = torch.zeros(3)
        for down, one in enumerate(weights):
            for right, other in enumerate(weights):
                y, x = 2 * row + begin + down, 2 * column + begin + right
                if 0 <= y < 6 and 0 <= x < 8:
                    expected += one * other * features[0, :, y, x]
        torch.testing.assert_close(found[0, :, row, column], expected)


def test_responses_that_do_not_fit_give_a_sentence() -> None:
    for response in ([[1.0, 1.0]], [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]):
        with pytest.raises(ValueError, match="or a channel that sees no band, but the network has 2 channels and 3 ba"):
            PairSensor(3, 2, 4, response)
    with pytest.raises(ValueError, match="the spectral response of 2 channels to 3 bands is not known; give"):
        PairSensor(3, 2, 4, None).multispectral(torch.zeros(1, 3, 2, 2))
