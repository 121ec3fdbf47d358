"""Smooth fields, exposure and displacement: peaks, slopes, inverses, directions."""

from __future__ import annotations

import torch

from callbacks.guides.fields import _spline_basis, change_exposure, displace, smooth_fields
from hyperalign.seeding import generator_for


def test_smooth_fields_peak_at_one_and_vary_slowly() -> None:
    fields = smooth_fields(4, 2, (61, 47), 16.0, generator_for(0))
    assert fields.shape == (4, 2, 61, 47)
    torch.testing.assert_close(fields.abs().amax((-2, -1)), torch.ones(4, 2))
    assert float(fields.diff(dim=-1).abs().max()) < 3.0 / 16.0
    # twice the scale, nearly half the slope (the peak of fewer bumps is lower before it is set to 1)
    coarse = smooth_fields(64, 1, (96, 96), 32.0, generator_for(1)).diff(dim=-1).abs().mean()
    fine = smooth_fields(64, 1, (96, 96), 16.0, generator_for(1)).diff(dim=-1).abs().mean()
    assert 1.4 < float(fine / coarse) < 2.4


def test_exposure_is_a_gain_in_the_shadows_and_never_saturates() -> None:
    values = torch.tensor([0.0, 1e-4, 0.5, 1.0])
    torch.testing.assert_close(
        change_exposure(values, torch.tensor(1.0)), torch.tensor([0.0, 2e-4, 2 / 3, 1.0]), rtol=2e-4, atol=0
    )
    there_and_back = change_exposure(change_exposure(values, torch.tensor(0.7)), torch.tensor(-0.7))
    torch.testing.assert_close(there_and_back, values)


def test_displacement_is_in_pixels_rows_first() -> None:
    image = torch.rand(1, 3, 12, 17, generator=generator_for(2))
    shift = torch.zeros(1, 2, 12, 17)
    shift[:, 0], shift[:, 1] = 2.0, -3.0
    moved = displace(image, shift)
    torch.testing.assert_close(moved[..., :-2, 3:], image[..., 2:, :-3], atol=1e-5, rtol=0)


def test_largest_allowed_displacement_does_not_fold_the_image() -> None:
    motion = 8.0 * smooth_fields(200, 2, (96, 96), 24.0, generator_for(3))
    rows, columns = motion[:, 0], motion[:, 1]
    determinant = (1 + rows.diff(dim=1)[:, :, 1:]) * (1 + columns.diff(dim=2)[:, 1:]) - (
        rows.diff(dim=2)[:, 1:] * columns.diff(dim=1)[:, :, 1:]
    )
    assert float((determinant <= 0).float().mean()) < 1e-3


def test_spline_weights_sum_to_one_so_a_constant_lattice_is_a_constant_field() -> None:
    for size, scale, phase in ((7, 3.0, 0.0), (1, 5.0, 0.9), (40, 2.5, 0.37)):
        basis = _spline_basis(size, scale, phase)
        torch.testing.assert_close(basis.sum(1), torch.ones(size, dtype=torch.float64))
        positions = torch.arange(size, dtype=torch.float64) / scale + phase
        torch.testing.assert_close(basis @ torch.arange(-1, basis.shape[1] - 1, dtype=torch.float64), positions)


def test_displacement_of_nothing_is_the_image_and_beyond_the_border_it_is_mirrored() -> None:
    image = torch.rand(2, 3, 6, 5, generator=generator_for(4))
    torch.testing.assert_close(displace(image, torch.zeros(2, 2, 6, 5)), image, atol=1e-6, rtol=0)
    shift = torch.zeros(2, 2, 6, 5)
    shift[:, 0] = -2.0
    torch.testing.assert_close(displace(image, shift)[:, :, 0], image[:, :, 2], atol=1e-5, rtol=0)
    pixel = torch.full((1, 3, 1, 1), 0.3)
    torch.testing.assert_close(displace(pixel, torch.ones(1, 2, 1, 1)), pixel)
