"""The front door: a checkpoint becomes a ready network, an array a restored array, without a config or a Trainer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from hyperalign.errors import InputError, WrongTypeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from datamodules.scenes.band_matching import BandMatch
    from datamodules.scenes.given import Given
    from lightning_modules.restoration import RestorationModule

__all__ = ["load", "restore"]

A = TypeVar("A", "NDArray[Any]", "Tensor")
M = TypeVar("M", bound="nn.Module")

TILE = 256
"""Side in pixels of the tiles of large images, as `predict` has it."""

BANDS = ("refuse", "select", "interpolate", "windows")
MISSING = ("refuse", "keep")

SMALLEST = 16
"""Sides below this are continued by their mirror image and cut off again: windows and strides need room."""


def load(
    checkpoint: str | PathLike[str],
    *,
    network: nn.Module | None = None,
    trust: Sequence[str] = (),
    device: str = "cpu",
) -> nn.Module:
    """Build the network that a checkpoint describes, with its weights: in eval mode, without gradients.

    Args:
        checkpoint: a checkpoint of this project. No code in it is run, and its class names import only this project.
        network: network to load the weights into, for checkpoints that do not describe theirs; then official files
            load as well.
        trust: packages of your own whose network classes the checkpoint may name.
        device: where the network goes.

    Raises:
        FileNotFoundError: when there is no such file.
        CheckpointError: when it is damaged, or its network cannot be built from what it says.
    """
    from lightning_modules.restoration.loading import load_module

    return moved(load_module(_path(checkpoint), network, trust).network, device)


def restore(
    cube: A,
    checkpoint: str | PathLike[str],
    *,
    wavelengths: Sequence[float] | str | None = None,
    multispectral: A | None = None,
    caption: str = "",
    bands: Literal["refuse", "select", "interpolate", "windows"] = "refuse",
    normalisation: str = "checkpoint",
    tile: int | None = TILE,
    back_projection: int | None = None,
    nan: Literal["refuse", "keep"] = "refuse",
    missing: Sequence[float] | None = None,
    trust: Sequence[str] = (),
    device: str = "cpu",
) -> A:
    """Restore one cube of any size by the network of a checkpoint.

    Args:
        cube: `C x H x W`, a NumPy array, masked or not, or a tensor, of real numbers.
        checkpoint: see `load`, or what `hyperalign.adapt` returned; it is kept in memory for the next call.
        wavelengths: centres of the cube's bands in nm, or `FIRST:LAST:COUNT`. None says that they are the network's,
            in its order; a network for any bands has no use for them.
        multispectral: for fusion, the image of the same ground with smaller pixels, `c x H x W`.
        caption: for fusion networks that read one, what is seen.
        bands: other bands: `refuse` them, `select` the nearest for each of the network's, or `interpolate` linearly;
            the result then has the network's bands that the cube covers. With `windows` the network slides along all.
        normalisation: how values come to [0, 1], undone in the result: `none`, `maximum`, `minmax`, `scale:VALUE`, or
            `checkpoint`, the rule of the training data.
        tile: side in pixels of the overlapping, blended tiles of large cubes (at its default the module's own comes
            first); None restores them whole.
        back_projection: of `lightning_modules.UpsampledInput`; None takes the network's own setting.
        nan: values that are missing (masked, NaN, infinite, or marked): `refuse` them, or `keep` them: the network is
            given the median of their band, and the result is masked there, or holds the mark, NaN where it has several.
        missing: values that mark missing ones; None takes the usual ones, -9999 and the like (`datamodules.Folder`).
        trust: see `load`.
        device: where the network runs.

    Returns:
        The restored cube, float32, of the kind that was given; bands in the cube's order where it has the network's.

    Raises:
        ValueError: for another shape, other bands, missing values, values that are not on the network's scale; `load`.
    """
    import torch

    from datamodules.scenes.given import given_values, with_missing

    _check_settings(tile, bands=(bands, BANDS), nan=(nan, MISSING))
    path = _path(checkpoint)
    module = moved(_module(path, _state(path), tuple(trust), bands == "windows"), device)
    given, other = given_values(cube, "cube", nan, missing), _second(module, multispectral, nan, missing)
    match = _match(given.values, module, wavelengths, bands, path)
    values = given.values if match is None else match.apply(given.values)
    offset, scale = _normalisation(values, module, normalisation)
    batch = _batch((values - offset) / scale, other, caption, device)
    with _projecting(module, back_projection):
        restored = _restored(module, batch, module.tile or tile if tile == TILE else tile)[0].cpu()
    result = with_missing((restored * float(scale) + float(offset)).numpy(), given, other, match)
    return torch.from_numpy(result).to(cube.device) if isinstance(cube, torch.Tensor) else result


def _batch(values: NDArray[np.float32], other: Given | None, caption: str, device: str) -> dict[str, Any]:
    """Return the batch of one cube, and of the multispectral image if there is one."""
    import torch

    batch: dict[str, Any] = {"name": ["the cube"], "caption": [caption]}
    images = {"observation": values} if other is None else {"observation": values, "multispectral": other.values}
    return batch | {key: torch.from_numpy(image)[None].to(device) for key, image in images.items()}


def _check_settings(tile: int | None, **settings: tuple[str, Sequence[str]]) -> None:
    """Refuse tiles that are too small, and a word that is none of a setting's."""
    from lightning_modules.restorer.tiles import check_tile

    check_tile(tile, "restore")
    for name, (choice, choices) in settings.items():
        if choice not in choices:
            raise InputError(f"`{name}` is {choice!r}: choose one of {', '.join(choices)}.")


def _second(
    module: RestorationModule, image: object, nan: Literal["refuse", "keep"], missing: Sequence[float] | None
) -> Given | None:
    """Return the values of the multispectral image; None where there is none.

    Raises:
        InputError: for a network that looks at none, or values that are not on its scale.
    """
    from datamodules.scenes.given import given_values
    from datamodules.scenes.normalisation import LARGEST

    if image is None:
        return None
    if "multispectral" not in module.needs:
        raise InputError(f"A multispectral image is given, but {module.name} takes none: leave it out.")
    given = given_values(image, "multispectral image", nan, missing)
    if (largest := float(abs(given.values).max())) > LARGEST:
        raise InputError(
            f"The multispectral image reaches {largest:g}, where the network expects values in [0, 1]: divide it by "
            "its full scale, as the cube is."
        )
    return given


@contextmanager
def _projecting(module: RestorationModule, steps: int | None) -> Iterator[None]:
    """Set the back-projections of a network, which is kept for the next call, and put its own number back.

    Raises:
        InputError: for a network that has none.
    """
    if steps is None:
        yield
        return
    own = getattr(module.network, "back_projection", None)
    if own is None or steps < 0:
        raise InputError(
            f"`back_projection` is {steps}, but {module.name} takes none: leave it out."
            if own is None
            else f"`back_projection` is {steps}: give a number of steps."
        )
    setattr(module.network, "back_projection", steps)  # noqa: B010 - an attribute of some networks only
    try:
        yield
    finally:
        setattr(module.network, "back_projection", own)  # noqa: B010


@lru_cache(maxsize=2)
def _module(checkpoint: str, state: tuple[int, int], trust: tuple[str, ...], slides: bool) -> RestorationModule:
    """Return the module of a checkpoint; the file's size and time are part of the key, as it may be replaced."""
    from lightning_modules.restoration.loading import load_module

    module = load_module(checkpoint, trust=trust)
    if slides:
        module.slide_along_bands()
    return module


def moved(network: M, device: str) -> M:
    """Put a network where it is to run.

    Raises:
        InputError: for a device that is unknown or not there.
    """
    try:
        return network.to(device)
    # An unknown name is a RuntimeError, a device that torch was not built for an AssertionError.
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise InputError(f"The device {device!r} cannot be used ({reason}): name another, such as cpu.") from error


def _path(checkpoint: object) -> str:
    """Return the path of a checkpoint as text."""
    if not isinstance(checkpoint, str | PathLike):
        raise WrongTypeError(f"The checkpoint is a {type(checkpoint).__name__}: give the path of its file.")
    return str(fspath(checkpoint))


def _state(checkpoint: str) -> tuple[int, int]:
    path = Path(checkpoint)
    return (path.stat().st_size, path.stat().st_mtime_ns) if path.is_file() else (0, 0)


def values_of(given: object, what: str) -> NDArray[np.float32]:
    """Return the values of an array or a tensor, float32, in a copy.

    Raises:
        TypeError: for anything else, or numbers that are not real.
        ValueError: for another number of axes, nothing at all, or values that are missing.
    """
    from datamodules.scenes.given import given_values

    return given_values(given, what, setting="").values


def _match(
    values: NDArray[np.float32],
    module: RestorationModule,
    wavelengths: Sequence[float] | str | None,
    rule: Literal["refuse", "select", "interpolate", "windows"],
    checkpoint: str,
) -> BandMatch | None:
    """Match the cube's bands to the network's by wavelength; None where they are the network's as they stand."""
    from datamodules.scenes.band_matching import band_centres, match_bands
    from datamodules.scenes.readers.centres import centres_from_user

    if rule == "windows" or module.trained_on.get("any_bands"):
        return None
    trained = module.trained_on.get("wavelengths")
    count = getattr(module.network, "input_channels", None) or (len(trained) if trained else None)
    if wavelengths is None:
        if count is not None and len(values) != count:
            turned = " (its last axis has as many: turn it to C x H x W)" if values.shape[-1] == count else ""
            raise InputError(
                f"The cube has {len(values)} bands and the network {count}{turned}: give the centres of its bands by "
                "`wavelengths`, in nm, and the rule by `bands`."
            )
        return None
    centres = centres_from_user(band_centres(wavelengths, "wavelengths"), "the cube")
    if len(centres) != len(values):
        raise InputError(f"The cube has {len(values)} bands and `wavelengths` {len(centres)} centres: give one a band.")
    if trained is None:
        raise InputError(
            f"Checkpoint {checkpoint} does not record the wavelengths that it was trained on: bring the cube to the "
            "network's bands yourself and leave `wavelengths` out."
        )
    return match_bands(centres, trained, rule, "The cube", "`bands`")


def _normalisation(values: NDArray[np.float32], module: RestorationModule, rule: str) -> tuple[np.float32, np.float32]:
    """Return offset and scale of the rule that brings the values to [0, 1].

    Raises:
        ValueError: for an unknown rule, or values that are not on the network's scale then.
    """
    import numpy as np

    from datamodules.scenes.normalisation import CHECKPOINT, LARGEST, Statistics, check_rule, normalisation_of

    if check_rule(rule) == CHECKPOINT:
        rule = check_rule(str(module.trained_on.get("normalisation", "none")))
    low, high = float(values.min()), float(values.max())
    found = normalisation_of(rule, Statistics(low, high, 0, np.zeros(len(values), dtype=np.float32)))
    largest = max(abs(low - found.offset), abs(high - found.offset)) / found.scale
    if largest > LARGEST:
        raise InputError(
            f"The cube reaches {largest:g} after the normalisation {rule!r}, where the network expects values in "
            "[0, 1]: give `normalisation`, for example maximum or scale:10000."
        )
    return np.float32(found.offset), np.float32(found.scale)


def _restored(module: RestorationModule, batch: dict[str, Any], tile: int | None) -> Tensor:
    """Restore a batch of one; small images are continued at their right and lower edge, and cut afterwards."""
    import torch

    observation = batch["observation"]
    height, width = observation.shape[-2:]
    padded = (max(height, SMALLEST), max(width, SMALLEST))
    images: dict[str, Tensor] = {key: batch[key] for key in ("observation", "multispectral") if key in batch}
    if padded != (height, width):
        for key, image in images.items():
            factor = image.shape[-2] // height
            rows = torch.tensor(_mirrored(image.shape[-2], padded[0] * factor), device=image.device)
            columns = torch.tensor(_mirrored(image.shape[-1], padded[1] * factor), device=image.device)
            images[key] = image[..., rows, :][..., columns]
    with torch.no_grad():
        restored = module.restore({**batch, **images}, tile=tile)
    factor = restored.shape[-2] // padded[0]
    return restored[..., : height * factor, : width * factor]


def _mirrored(side: int, wanted: int) -> list[int]:
    """Return the pixel numbers along an axis of `side` pixels, continued by its mirror image, edge repeated."""
    numbers = [*range(side), *reversed(range(side))]
    return [numbers[place % (2 * side)] for place in range(max(side, wanted))]
