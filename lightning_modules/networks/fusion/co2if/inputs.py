"""What CO2IF says when its three inputs do not belong together, one sentence each."""

from __future__ import annotations

from torch import Tensor

from hyperalign.errors import InputError
from lightning_modules.networks.fusion.co2if.sinkhorn import check_text_mask

__all__ = ["check_multispectral", "check_observation", "check_sizes", "check_text"]


def check_sizes(**sizes: int) -> None:
    """Refuse sizes of a network that are not positive.

    Raises:
        ValueError: naming the first of them.
    """
    for name, size in sizes.items():
        if size < 1:
            raise InputError(f"CO2IF: {name} {size} is below 1; give a positive whole number.")


def check_observation(observation: Tensor, bands: int) -> None:
    """Refuse a low-resolution cube that is not `B x bands x h x w`.

    Raises:
        ValueError: always with one sentence.
    """
    if observation.ndim != 4 or observation.shape[1] != bands:
        raise InputError(
            f"CO2IF: the low-resolution cube has shape {tuple(observation.shape)} but the network has {bands} bands; "
            "give B x bands x h x w, or build the network with input_channels of that many bands."
        )


def check_multispectral(multispectral: Tensor | None, observation: Tensor, channels: int, ratio: int) -> Tensor:
    """Return the multispectral image, if it lies over the cube.

    Raises:
        ValueError: none is given, or channels or sizes do not fit.
    """
    if multispectral is None:
        raise InputError("CO2IF: the multispectral image is missing; give one, or build with use_msi=False.")
    if multispectral.ndim != 4 or multispectral.shape[1] != channels:
        raise InputError(
            f"CO2IF: the multispectral image has shape {tuple(multispectral.shape)} but the network has {channels} "
            "channels; give B x channels x H x W, name those of your image by data.init_args.channels (FusionPair), or "
            "build the network with multispectral_channels of that many."
        )
    batch, _, height, width = observation.shape
    wanted = (batch, channels, ratio * height, ratio * width)
    if tuple(multispectral.shape) != wanted:
        raise InputError(
            f"CO2IF: the multispectral image has shape {tuple(multispectral.shape)} where a cube of {height} x {width} "
            f"pixels at ratio {ratio} needs {wanted}; crop both to the same ground or set ratio to that of the data."
        )
    return multispectral


def check_text(text_tokens: Tensor | None, text_mask: Tensor | None, batch: int, width: int) -> Tensor:
    """Return the text tokens, if they are one caption an image.

    Raises:
        ValueError: none are given, or tokens or mask have another shape, or a caption is empty.
    """
    if text_tokens is None:
        raise InputError("CO2IF: the text tokens are missing; give captions, or build with use_text=False.")
    if text_tokens.ndim != 3 or text_tokens.shape[0] != batch or text_tokens.shape[2] != width:
        raise InputError(
            f"CO2IF: the text tokens have shape {tuple(text_tokens.shape)}; give {batch} x tokens x {width}, "
            "or set text_width to that of the text tower."
        )
    if text_mask is not None:
        check_text_mask(text_mask, (batch, text_tokens.shape[1]))
    return text_tokens
