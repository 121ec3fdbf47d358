"""High-dimensional points drawn in a plane: principal components, or t-SNE as in HIR-ALIGN's Figure 4."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from hyperalign.errors import InputError

Method = Literal["tsne", "pca"]

PERPLEXITY = 30.0
"""Of t-SNE (van der Maaten and Hinton, 2008); with fewer than 91 points a third of them."""


def project(points: Tensor, method: Method, seed: int = 0) -> Tensor:
    """Return places in the plane, the same for the same points and seed.

    Args:
        points: `N x D`, finite, at least 2.
        method: `tsne` keeps neighbours together, distances between groups mean little; `pca` keeps distances.
        seed: of t-SNE.

    Returns:
        `N x 2`, float64.

    Raises:
        ValueError: for fewer than 2 points.
    """
    if len(points) < 2:
        raise InputError(f"{len(points)} points cannot be projected: give at least 2.")
    return principal_components(points) if method == "pca" else neighbour_embedding(points, seed)


def principal_components(points: Tensor) -> Tensor:
    """Return the two leading principal components of `N x D` points, `N x 2` float64.

    The sign of a component, which is arbitrary, makes its largest loading positive.
    """
    centred = points.detach().cpu().double()
    centred = centred - centred.mean(0)
    left, values, right = torch.linalg.svd(centred, full_matrices=False)
    signs = torch.gather(right, 1, right.abs().argmax(1, keepdim=True)).sign().squeeze(1)
    components = (left * values * signs)[:, :2]
    # Points on a line, or of one coordinate, have no second component.
    return functional.pad(components, (0, 2 - components.shape[1]))


def neighbour_embedding(points: Tensor, seed: int = 0) -> Tensor:
    """Return the t-SNE embedding of `N x D` points by scikit-learn, `N x 2` float64, started from the components."""
    start = principal_components(points)
    spread = float(start[:, 0].std())
    if spread == 0.0:
        return torch.zeros(len(points), 2, dtype=torch.float64)
    from sklearn.manifold import TSNE

    # Its own start by principal components draws random numbers; this one draws none and has the same scale.
    embedding = TSNE(
        perplexity=min(PERPLEXITY, (len(points) - 1) / 3),
        init=(1e-4 * start / spread).float().numpy(),
        random_state=seed,
    )
    return torch.from_numpy(embedding.fit_transform(points.detach().cpu().float().numpy())).double()
