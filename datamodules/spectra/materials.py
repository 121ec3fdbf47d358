"""Which pixels of a photograph share a material: a small, soft, seeded clustering by colour and place."""

import numpy as np

from datamodules.spectra.bands import Array


def _features(rgb: Array, place: float) -> Array:
    """Square-rooted colour (about as even as the eye sees it), chroma counted twice, and position; 5 x pixels."""
    root = np.sqrt(np.clip(rgb, 0.0, 1.0))
    grey = root.mean(axis=0)
    rows, columns = np.mgrid[: rgb.shape[1], : rgb.shape[2]] / max(rgb.shape[1:])
    stack = np.stack([grey, 2.0 * (root[0] - grey), 2.0 * (root[2] - grey), place * rows, place * columns])
    return stack.reshape(5, -1)


def _squared_distances(features: Array, centres: Array) -> Array:
    """Squared distances, centres x pixels."""
    cross = centres.T @ features
    distances: Array = (centres**2).sum(axis=0)[:, None] - 2.0 * cross + (features**2).sum(axis=0)[None, :]
    return np.maximum(distances, 0.0)


def soft_materials(
    rgb: Array, count: int, generator: np.random.Generator, softness: float = 0.05, place: float = 0.35
) -> Array:
    """Return the weights (count x H x W, summing to one) of `count` materials in a picture.

    k-means with seeded k-means++ starts on at most 4096 pixels, then soft assignment of every pixel.

    Args:
        rgb: linear RGB, 3 x H x W in [0, 1].
        count: number of materials, at least 1.
        generator: where the randomness comes from.
        softness: distance in feature space over which one material gives way to another.
        place: how much position counts against colour.
    """
    features = _features(rgb, place)
    chosen = generator.integers(0, features.shape[1], size=min(4096, features.shape[1]))
    sample = features[:, chosen]
    centres = sample[:, :1]
    for _ in range(count - 1):
        nearest = _squared_distances(sample, centres).min(axis=0) + 1e-12
        pick = int(np.searchsorted(np.cumsum(nearest / nearest.sum()), generator.uniform()))
        centres = np.concatenate([centres, sample[:, min(pick, sample.shape[1] - 1)][:, None]], axis=1)
    for _ in range(8):
        owner = _squared_distances(sample, centres).argmin(axis=0)
        members = [sample[:, owner == index] for index in range(count)]
        centres = np.stack(
            [group.mean(axis=1) if group.shape[1] else centres[:, index] for index, group in enumerate(members)], axis=1
        )
    distances = _squared_distances(features, centres)
    distances -= distances.min(axis=0, keepdims=True)
    weights = np.exp(-distances / (2.0 * softness**2))
    weights /= weights.sum(axis=0, keepdims=True)
    return weights.reshape(count, *rgb.shape[1:])
