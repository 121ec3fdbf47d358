"""What every fusion network asks of its two images before it works, and the sentences it refuses others with."""

from __future__ import annotations

import torch
from torch import Tensor

from hyperalign.errors import InputError

__all__ = ["check_pair", "check_positive", "mirror_to_multiple", "pad_pair"]


def check_positive(owner: str, **sizes: int) -> None:
    """Refuse sizes of a network that are below 1.

    Raises:
        ValueError: naming the first of them.
    """
    for name, size in sizes.items():
        if size < 1:
            raise InputError(f"{owner}: {name} {size} is below 1; give a positive whole number.")


def check_pair(owner: str, observation: Tensor, multispectral: Tensor, bands: int, channels: int, ratio: int) -> None:
    """Refuse images that are no pair for the network.

    Args:
        owner: class of the network, for the sentence.
        observation: should be LR-HSI `B x bands x h x w`.
        multispectral: should be HR-MSI `B x channels x ratio*h x ratio*w`.
        bands: spectral bands the network was built for.
        channels: multispectral channels it was built for.
        ratio: pixels of the multispectral image along one of the hyperspectral image.

    Raises:
        ValueError: always with one sentence that names both shapes and what to change.
    """
    if observation.ndim != 4 or observation.shape[1] != bands:
        raise InputError(
            f"{owner}: the low-resolution cube has shape {tuple(observation.shape)} but the network has {bands} bands; "
            "give B x bands x h x w, or build the network with input_channels of that many bands."
        )
    if multispectral.ndim != 4 or multispectral.shape[1] != channels:
        raise InputError(
            f"{owner}: the multispectral image has shape {tuple(multispectral.shape)} but the network has {channels} "
            "channels; give B x channels x H x W, name those of your image by data.init_args.channels (FusionPair), or "
            "build the network with multispectral_channels of that many."
        )
    batch, _, height, width = observation.shape
    wanted = (batch, channels, ratio * height, ratio * width)
    if tuple(multispectral.shape) != wanted:
        raise InputError(
            f"{owner}: the multispectral image has shape {tuple(multispectral.shape)} where a cube of {height} x "
            f"{width} pixels at ratio {ratio} needs {wanted}; crop both to the same ground or set ratio to the data's."
        )


def mirror_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Continue images at the bottom and right by reflection with the edge pixel repeated, to whole multiples.

    So reflected, a coarse and a fine image of the same ground still show the same ground.

    Args:
        images: `B x C x H x W`.
        multiple: block size in pixels.

    Returns:
        `B x C x H' x W'`; the input itself when nothing is missing. Crop with `[..., :H, :W]`.
    """
    for axis in (-2, -1):
        size = images.shape[axis]
        if missing := -size % multiple:
            position = torch.arange(size + missing, device=images.device) % (2 * size)
            images = images.index_select(axis, torch.where(position < size, position, 2 * size - 1 - position))
    return images


def pad_pair(observation: Tensor, multispectral: Tensor, ratio: int, multiple: int) -> tuple[Tensor, Tensor]:
    """Continue both images over the same ground, so that the cube's sides are multiples of `multiple`."""
    return mirror_to_multiple(observation, multiple), mirror_to_multiple(multispectral, ratio * multiple)
