"""Reading weights safely (never running pickled code) and loading official checkpoints through a network's name table.

A network states its table as a class attribute `official_names`: pairs (regular expression, replacement) that are
applied in turn to every official name. An optional class attribute `official_derived` lists expressions of official
entries that a network computes itself (attention masks, position indices); they are left out. Another one,
`official_absent`, names entries of ours that official files do not hold; the network keeps its own.
"""

from __future__ import annotations

import hashlib
import pickle
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO
from torch import Tensor, nn

from hyperalign.errors import HyperalignError, MissingFileError
from lightning_modules.networks.upsampled import UpsampledInput

__all__ = [
    "IDENTITY_KEY",
    "CheckpointError",
    "SafeCheckpointIO",
    "load_official",
    "load_official_state",
    "load_weights",
    "network_identity",
    "read_checkpoint",
    "read_weights",
    "recorded_training_data",
    "training_data",
    "weights_digest",
]

IDENTITY_KEY = "hyperalign"
CONTAINER_KEYS = ("state_dict", "net", "model", "params")
PREFIXES = ("module.", "net.", "network.", "model.")


class CheckpointError(HyperalignError, ValueError):
    """A checkpoint that cannot be read, or that belongs to another network."""


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint file without running any code in it.

    Raises:
        FileNotFoundError: when there is no such file.
        CheckpointError: when the file is truncated, is no checkpoint, or holds pickled code.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(
            f"Checkpoint {path} does not exist; give the path of an existing .ckpt, .pt or .pth file."
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError, pickle.UnpicklingError) as error:
        raise CheckpointError(_why_unreadable(path, error)) from error
    if not isinstance(content, dict):
        raise CheckpointError(
            f"Checkpoint {path} holds a {type(content).__name__} instead of named weights; "
            "save a state_dict and load that."
        )
    return content


def _why_unreadable(path: Path, error: Exception) -> str:
    """Say in one sentence what is wrong with a file that did not load."""
    code = re.search(r"GLOBAL (\S+) was not", str(error))
    with path.open("rb") as file:
        start = file.read(4)
    archive = start == b"PK\x03\x04"
    if not start or (archive and not zipfile.is_zipfile(path)):
        return f"Checkpoint {path} is truncated ({path.stat().st_size} bytes); copy or download it again."
    if code or (archive and isinstance(error, pickle.UnpicklingError) and _is_intact(path)):
        return (
            f"Checkpoint {path} holds pickled code{f' ({code.group(1)})' if code else ''}, which is never run; "
            "save only its state_dict with torch.save and load that."
        )
    if archive or start.startswith(b"\x80"):
        return f"Checkpoint {path} is damaged or holds more than weights; copy it again, or save only its state_dict."
    return (
        f"File {path} is not a PyTorch checkpoint; give a .ckpt, .pt or .pth file that torch.save or Lightning wrote."
    )


def _is_intact(path: Path) -> bool:
    """Check the checksums inside a zip archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, OSError):
        return False


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Read a network's weights from a Lightning checkpoint, an official checkpoint or a plain state dict.

    Of a Lightning checkpoint of this project only the network's own entries are returned, under the network's names;
    official files may keep their weights under `net`, `state_dict`, `model` or `params`.

    Raises:
        FileNotFoundError: when there is no such file.
        CheckpointError: when the file cannot be read safely or holds no weights.
    """
    return _weights_of(read_checkpoint(path), path)


def _weights_of(content: Mapping[str, Any], path: str | Path) -> dict[str, Tensor]:
    """Find the named weights inside a checkpoint's content."""
    ours = IDENTITY_KEY in content
    for key in CONTAINER_KEYS:
        if isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if ours:
        content = {
            name.removeprefix("network."): value for name, value in content.items() if name.startswith("network.")
        }
    state = {name: value for name, value in content.items() if isinstance(value, Tensor)}
    if not state or len(state) != len(content):
        raise CheckpointError(
            f"Checkpoint {path} holds no state dict (it begins {', '.join(map(str, list(content)[:5])) or 'empty'}); "
            f"expected named tensors, at the top or under one of {', '.join(CONTAINER_KEYS)}."
        )
    return state


def network_identity(network: nn.Module) -> str:
    """Name a network's class, with the class inside a wrapper, such as `UpsampledInput(SERT)`."""
    inner = f"({network_identity(network.network)})" if isinstance(network, UpsampledInput) else ""
    return type(network).__name__ + inner


def load_weights(network: nn.Module, path: str | Path) -> dict[str, Any]:
    """Load a file into a network, strictly: a checkpoint of this project, or an official one through the name table.

    Returns:
        What a checkpoint of this project records beside its weights; nothing for others.

    Raises:
        FileNotFoundError: when there is no such file.
        CheckpointError: when the file cannot be read safely or its weights belong to another network.
    """
    content = read_checkpoint(path)
    identity = content.get(IDENTITY_KEY)
    if identity is not None:
        check_identity(network, identity, str(path))
    state = _weights_of(content, path)
    if set(state) == set(network.state_dict()):
        check_shapes(network, state, str(path))
        network.load_state_dict(state)
    else:
        load_official_state(network, state, origin=str(path))
    return dict(identity or {})


def check_identity(network: nn.Module, identity: Mapping[str, Any], origin: str) -> None:
    """Refuse the weights of another network class, in one sentence."""
    made_by, wanted = str(identity.get("network")), network_identity(network)
    if made_by != wanted:
        raise CheckpointError(
            f"{made_by} weights in {origin} do not fit {wanted}; choose that network or another checkpoint."
        )


def check_shapes(network: nn.Module, state: Mapping[str, Tensor], origin: str) -> None:
    """Refuse weights whose names or shapes are not the network's, naming the first difference in one sentence."""
    own = network.state_dict()
    kind = network_identity(network)
    missing, unexpected = sorted(set(own) - set(state)), sorted(set(state) - set(own))
    if missing or unexpected:
        raise CheckpointError(
            f"Weights in {origin} do not fit {kind}: {len(missing)} of its {len(own)} entries are missing"
            f"{f' (first: {missing[0]})' if missing else ''} and {len(unexpected)} are unknown to it"
            f"{f' (first: {unexpected[0]})' if unexpected else ''}; check the network's class and settings."
        )
    for name, tensor in own.items():
        if tensor.shape != state[name].shape:
            raise CheckpointError(
                f"Weights in {origin} do not fit {kind}: {name} is {list(state[name].shape)} there and "
                f"{list(tensor.shape)} here; build the network with the settings the weights were trained with."
            )


def load_official(network: nn.Module, path: str | Path) -> None:
    """Load a checkpoint published by a network's authors, strictly, through the network's name table.

    Raises:
        FileNotFoundError: when there is no such file.
        CheckpointError: when the file cannot be read safely or does not fit the network.
    """
    load_official_state(network, read_weights(path), origin=str(path))


def load_official_state(network: nn.Module, state: Mapping[str, Tensor], origin: str = "the official state") -> None:
    """Load an official state dict held in memory, strictly, through the network's name table.

    Wrapping prefixes (`module.`, `net.`, `network.`, `model.`) that all names share are removed where that makes the
    names fit; a wrapper such as `UpsampledInput` passes the weights to its inner network.

    Args:
        network: network that receives the weights.
        state: official names and tensors.
        origin: where the state came from, for the error sentence.

    Raises:
        CheckpointError: when names or shapes do not fit.
    """
    if isinstance(network, UpsampledInput):
        network = network.network
    own = set(network.state_dict())
    candidates = [_renamed(network, candidate) for candidate in _unwrapped(dict(state))]
    renamed = next((candidate for candidate in candidates if set(candidate) == own), candidates[0])
    check_shapes(network, renamed, origin)
    network.load_state_dict(renamed)


def _unwrapped(state: dict[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """Yield the state, then the state without each wrapping prefix that all of its names share."""
    yield state
    while prefix := next((one for one in PREFIXES if state and all(name.startswith(one) for name in state)), None):
        state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
        yield state


def _renamed(network: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Apply the network's name table; leave out what it derives itself, add its own where official files have none."""
    derived = tuple(getattr(network, "official_derived", ()))
    renamed = {}
    for official, tensor in state.items():
        if any(re.search(pattern, official) for pattern in derived):
            continue
        name = official
        for pattern, replacement in getattr(network, "official_names", ()):
            name = re.sub(pattern, replacement, name)
        renamed[name] = tensor
    if absent := getattr(network, "official_absent", ()):
        own = network.state_dict()
        renamed = {name: own[name] for name in absent} | renamed
    return renamed


def weights_digest(weights: nn.Module | Mapping[str, Tensor]) -> str:
    """Hash names, types, shapes and values of all weights: sha256 in hexadecimal, the same on any device."""
    state = weights.state_dict() if isinstance(weights, nn.Module) else weights
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


class SafeCheckpointIO(TorchCheckpointIO):
    """Lightning's checkpoint files, read by `read_checkpoint`: pickled code is never run, damage is named.

    `RestorationModule` installs it in place of Lightning's default; any other plugin a user chose stays.
    """

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Callable[..., Any] | None = None,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Read a checkpoint into host memory; addresses with a scheme (`s3://`) are left to Lightning.

        Raises:
            FileNotFoundError: when there is no such file.
            CheckpointError: when the file is truncated, is no checkpoint, or holds pickled code.
        """
        if "://" in str(path):
            content: dict[str, Any] = super().load_checkpoint(path, map_location=map_location, weights_only=True)
            return content
        return read_checkpoint(path)


def training_data(datamodule: object) -> dict[str, Any]:
    """Return what cubes have to be brought to, as plain values.

    Args:
        datamodule: what the network is trained on; None, or one that does not say, gives nothing.

    Returns:
        `wavelengths`, the band centres in nm, and `normalisation`, the rule by which scenes came to [0, 1]: `none`,
        `maximum`, `minmax` or `scale:VALUE`; each only where the DataModule has it.
    """
    found: dict[str, Any] = {}
    if wavelengths := getattr(datamodule, "wavelengths", None):
        found["wavelengths"] = [float(centre) for centre in wavelengths]
    if isinstance(rule := getattr(datamodule, "normalisation", None), str):
        # Reflectances whose few values outside of [0, 1] are clipped for training are left as they are elsewhere.
        found["normalisation"] = "none" if rule == "clip" else rule
    return found


def recorded_training_data(identity: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what a checkpoint's identity says, nothing for older ones, which do not say it."""
    recorded = (identity or {}).get("training_data", {})
    return dict(recorded) if isinstance(recorded, Mapping) else {}
