"""Places in the plane: NumPy's components, neighbours kept by t-SNE, the same whenever asked."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from callbacks.reporting.diagnostics.embedding import Method, neighbour_embedding, principal_components, project


def clusters(count: int = 12, width: int = 10) -> Tensor:
    """Three tight groups of points, the second much farther from the first than the third is."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.zeros(3, width)
    centres[1, 0], centres[2, 1] = 20.0, 5.0
    return torch.cat([centre + 0.1 * torch.randn(count, width, generator=generator) for centre in centres])


def test_components_are_numpys() -> None:
    points = torch.randn(20, 6, generator=torch.Generator().manual_seed(1)) * torch.arange(1, 7) + 3
    array = points.double().numpy()
    left, values, right = np.linalg.svd(array - array.mean(0), full_matrices=False)
    expected = left[:, :2] * values[:2]
    signs = [np.sign(row[np.abs(row).argmax()]) for row in right[:2]]
    np.testing.assert_allclose(principal_components(points).numpy(), expected * signs, atol=1e-10)


def test_components_keep_distances_and_their_sign() -> None:
    points = clusters()
    plane = principal_components(points)
    assert float((plane[:12].mean(0) - plane[12:24].mean(0)).norm()) == pytest.approx(20, abs=0.2)
    assert float((plane[:12].mean(0) - plane[24:].mean(0)).norm()) == pytest.approx(5, abs=0.2)
    # The first component points to larger first coordinates.
    assert float(plane[12:24, 0].mean()) > 0
    torch.testing.assert_close(principal_components(points.flip(0)), plane.flip(0))


def test_points_on_a_line_have_no_second_component() -> None:
    line = torch.tensor([[1.0], [2.0], [6.0]])
    expected = torch.tensor([[-2.0, 0.0], [-1.0, 0.0], [3.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(principal_components(line), expected)


def test_tsne_keeps_neighbours_together_and_repeats_itself() -> None:
    points = clusters()
    plane = neighbour_embedding(points, seed=4)
    assert plane.shape == (36, 2)
    distances = torch.cdist(plane, plane).fill_diagonal_(torch.inf)
    assert (distances.argmin(1) // 12).tolist() == [0] * 12 + [1] * 12 + [2] * 12
    state = (str(np.random.get_state()), torch.random.get_rng_state())
    assert torch.equal(neighbour_embedding(points, seed=4), plane)
    assert str(np.random.get_state()) == state[0]
    assert torch.equal(torch.random.get_rng_state(), state[1])


@pytest.mark.parametrize("count", [2, 3, 7])
def test_few_points_and_equal_points_have_places(count: int) -> None:
    points = clusters()[:count]
    assert bool(neighbour_embedding(points).isfinite().all())
    assert neighbour_embedding(points[:1].expand(count, -1)).abs().max() == 0


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_a_single_point_is_one_sentence(method: Method) -> None:
    assert torch.equal(project(clusters(2), "pca"), principal_components(clusters(2)))
    with pytest.raises(ValueError, match=r"^1 points cannot be projected: give at least 2\.$"):
        project(torch.zeros(1, 3), method)
