"""The noise records: what each does to a small cube with known parameters."""

import torch

from datamodules.degradations.noise import (
    AlongRows,
    Deadlines,
    GaussianNoise,
    Impulses,
    Mixture,
    SignalDependentNoise,
    Stripes,
)

CUBE = torch.arange(12, dtype=torch.float32).reshape(3, 2, 2) / 16
FIRST = torch.tensor([1])


def test_gaussian_noise_is_added() -> None:
    field = torch.full((3, 2, 2), 0.25)
    assert torch.equal(GaussianNoise(torch.ones(3), field).apply(CUBE), CUBE + 0.25)


def test_stripes_subtract_from_whole_columns() -> None:
    striped = Stripes(FIRST, torch.tensor([[0.0, 0.125]])).apply(CUBE)
    assert (striped * 16)[1].tolist() == [[4, 3], [6, 5]]
    assert torch.equal(striped[[0, 2]], CUBE[[0, 2]])


def test_deadlines_clear_whole_columns() -> None:
    dimmed = Deadlines(FIRST, torch.tensor([[True, False]])).apply(CUBE)
    assert (dimmed * 16)[1].tolist() == [[0, 5], [0, 7]]
    assert torch.equal(dimmed[[0, 2]], CUBE[[0, 2]])


def test_impulses_write_one_and_zero() -> None:
    salt, pepper = torch.tensor([[[True, False], [False, False]]]), torch.tensor([[[False, False], [True, False]]])
    hit = Impulses(FIRST, torch.tensor([0.5]), salt, pepper).apply(CUBE)
    assert (hit * 16)[1].tolist() == [[16, 5], [0, 7]]
    assert torch.equal(hit[[0, 2]], CUBE[[0, 2]])


def test_mixture_acts_in_order() -> None:
    dead, striped = Deadlines(FIRST, torch.tensor([[True, False]])), Stripes(FIRST, torch.tensor([[0.125, 0.0]]))
    before = CUBE.clone()
    assert (Mixture((dead, striped)).apply(CUBE) * 16)[1, :, 0].tolist() == [-2, -2]
    assert (Mixture((striped, dead)).apply(CUBE) * 16)[1, :, 0].tolist() == [0, 0]
    assert torch.equal(CUBE, before)


def test_signal_dependent_noise_has_the_variance_of_its_line() -> None:
    cube = torch.tensor([[[0.0, 0.5], [1.0, 0.2]], [[0.0, 0.5], [1.0, 0.2]]])
    field = torch.tensor([[[1.0, -1.0], [2.0, 0.5]], [[1.0, 1.0], [1.0, 1.0]]])
    noise = SignalDependentNoise(torch.tensor([0.01, 0.04]), torch.tensor([0.08, -0.08]), field)
    expected = [
        [[0.1, 0.5 - 0.05**0.5], [1.0 + 2 * 0.3, 0.2 + 0.5 * 0.026**0.5]],
        # A line that falls below 0 adds nothing.
        [[0.2, 0.5], [1.0, 0.2 + 0.024**0.5]],
    ]
    torch.testing.assert_close(noise.apply(cube), torch.tensor(expected))


def test_along_rows_is_the_corruption_of_the_transposed_cube() -> None:
    cube = torch.rand(2, 3, 4, generator=torch.Generator().manual_seed(0))
    noise = SignalDependentNoise(torch.tensor([0.01, 0.04]), torch.zeros(2), torch.ones(2, 4, 3))
    added = torch.tensor([0.1, 0.2])[:, None, None]
    torch.testing.assert_close(AlongRows(noise).apply(cube), cube + added)
