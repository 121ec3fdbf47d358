"""What `adapt`, `test` and `predict` take for a folder of cubes when no config is named: three short commands."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.configuration.filled_in.described_model import described_network, describes_model, value_of
from experiments.configuration.filled_in.own_pairs import names_pairs, with_fusion_method
from hyperalign.errors import InputError, UsageError

if TYPE_CHECKING:
    from datamodules import Folder

_log = logging.getLogger(__name__)

CHECKPOINTS = Path(__file__).resolve().parents[2] / "hir_align" / "checkpoints"
SOURCES = {"gaussian": "gaussian", "complex": "complex", "unlike": "complex"}
"""The packaged source checkpoint that was trained for each kind of noise; structure unknown is better met by more."""

TRAINED = "400:700:31"
"""Bands of the packaged sources that restore those alone, in nm."""

_BACKBONE = "backbones/sert_compact"
_ANY_BANDS = "backbones/sert_subspace"
_GUIDED = "hir_align/solver_guided"
_CONFIGS = {
    "adapt": (_BACKBONE, "hir_align/adapt", "data/own_cubes"),
    "test": (_BACKBONE, "hir_align/adapt", "data/own_cubes"),
    "predict": (_BACKBONE, "data/folder"),
}
_PATCH, _STEPS = 96, 64
"""Side of the patches and steps of an epoch in `hir_align/solver_guided`, which cubes of fewer pixels cannot have."""
_SOURCE = "--model.init_args.source"
_ROOT = ("--data.root", "--data.init_args.root")
_BANDS = ("--data.bands", "--data.init_args.bands")
_TRAINED = ("--data.trained_wavelengths", "--data.init_args.trained_wavelengths")


def completed(arguments: Sequence[str]) -> list[str]:
    """Return a command line with what it leaves out for a folder of cubes or of pairs; any other one as it is.

    It is completed where the command is `adapt`, `test` or `predict`, `--data.root` is given and no `--config` is.
    `--source X` stands for `--model.init_args.source X`; without it, `adapt` and `test` estimate the noise of the cubes
    and take the packaged source that was trained for it, which restores cubes of any number of bands; with
    `--data.bands windows` the one for 31 bands, which then slides along those of the cubes.

    Args:
        arguments: what stands after the program's name.

    Raises:
        UsageError: for `--source` without a value, or none beside a checkpoint of which no packaged source is.
        InputError: if no packaged source was trained for what the cubes show, or they cannot be read.
    """
    words = _named_source(list(arguments))
    if words and names_pairs(words):
        return with_fusion_method(words)
    if not words or words[0] not in _CONFIGS or not _given(words, _ROOT) or _given(words, ("--config", "-c")):
        return words
    # A checkpoint that says how its network is built needs no backbone, and may be of another one.
    named = [name for name in _CONFIGS[words[0]] if name != _BACKBONE or not describes_model(words)]
    own: list[str] = []
    if not _given(words, _TRAINED) and not _given(words, (_SOURCE,)) and words[0] != "predict":
        described = described_network(words)
        if described == "SlidingBands" or (described in (None, "SERT") and _slides(words)):
            own = [_SOURCE, str(packaged_source(target_folder(words, any_bands=True)))]
        elif described in (None, "Subspace"):
            folder = target_folder(words, any_bands=True)
            own = [_SOURCE, str(packaged_source(folder, "_subspace")), *_patches_within(folder)]
            named = [*(_ANY_BANDS if name == _BACKBONE else name for name in named), _GUIDED]
        elif described != "SERT":
            raise UsageError(
                f"The checkpoint holds {described}, of which no packaged source is: name the one that it was adapted "
                "from, as in `--source source.ckpt`."
            )
        else:
            own = [_SOURCE, str(packaged_source(target_folder(words))), _TRAINED[0], TRAINED]
    configs = [word for name in named for word in ("--config", name)]
    return [words[0], *configs, *own, *words[1:]]


def target_folder(words: Sequence[str], any_bands: bool = False) -> Folder | None:
    """Return the folder of a command line as a target whose noise was estimated; None where its options cannot be read.

    Args:
        words: the command line, of which the keys of `data` are read.
        any_bands: whether the cubes keep their bands, where the network takes any or slides along them.

    Raises:
        InputError: if the cubes cannot be read.
    """
    # Both are slow to import, and most command lines need neither.
    from jsonargparse import ArgumentParser

    from datamodules import EstimatedNoise, Folder

    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Folder, "data", skip={"role", "degradation", "trained_wavelengths"})
    own = _data_words(words)
    if list(words[:1]) == ["test"] or not _given(own, ("--data.patch_size",)):
        # What is estimated needs no patch, nor does a test; what trains is given one that fits.
        own = [*own, "--data.patch_size", "8"]
    try:
        settings = parser.parse_args(own).data.as_dict()
    except Exception as error:
        # The command's own parser says what is wrong with them, and better.
        _log.debug("%s", error)
        return None
    trained = None if any_bands else TRAINED
    folder = Folder(**settings, role="target", degradation=EstimatedNoise(), trained_wavelengths=trained)
    folder.assumed = {"any_bands": True} if any_bands else {}
    with _unsaid():
        folder.observations()
    return folder


@contextmanager
def _unsaid() -> Iterator[None]:
    """Keep back the warnings about single cubes, which the run itself gives."""
    log = logging.getLogger("datamodules")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def packaged_source(folder: Folder | None, kind: str = "") -> Path:
    """Return the packaged source checkpoint for what the cubes show, that of Gaussian noise where none could be read.

    Args:
        folder: the cubes.
        kind: what its name ends in: `_subspace` for any bands, nothing for a network of 31 bands.

    Raises:
        InputError: if none was trained for it.
    """
    if folder is None:
        return CHECKPOINTS / f"{SOURCES['gaussian']}{kind}.ckpt"
    from datamodules import EstimatedNoise

    task = folder.degradation
    family = task.estimate.family if isinstance(task, EstimatedNoise) and task.estimate is not None else "clean"
    if family not in SOURCES:
        raise InputError(
            f"The cubes look {_LOOKS.get(family, family)}, for which no packaged source was trained: give --source a "
            "checkpoint that was, and --config the task, as in `--config data/own_cubes --config tasks/NAME`."
        )
    found = CHECKPOINTS / f"{SOURCES[family]}{kind}.ckpt"
    _log.info("the noise of the cubes is %s: the packaged source is %s", family, found.name)
    return found


def _patches_within(folder: Folder | None) -> list[str]:
    """Return smaller patches than `hir_align/solver_guided` has, and more of them, where cubes or crops are small."""
    if folder is None or folder.smallest_side >= _PATCH:
        return []
    side = max(folder.smallest_side // 8 * 8, 8)
    batch = round((_PATCH / side) ** 2)
    patches = {"patches_per_epoch": _STEPS * batch, "patch_pool": _PATCH * batch}
    settings = {"patch_size": side, "batch_size": batch, **patches}
    return [word for name, value in settings.items() for word in (f"--data.{name}", str(value))]


_LOOKS = {
    "clean": "clean or low-resolution",
    "deblurring": "blurred",
    "inpainting": "masked at random",
    "band_missing": "clean but for missing bands",
}


def _named_source(words: list[str]) -> list[str]:
    found: list[str] = []
    for place, word in enumerate(words):
        if word == "--source":
            if place + 1 == len(words):
                raise UsageError("The option --source takes a checkpoint: name one.")
            found.append(_SOURCE)
        elif word.startswith("--source="):
            found.append(f"{_SOURCE}={word.partition('=')[2]}")
        else:
            found.append(word)
    return found


def _slides(words: Sequence[str]) -> bool:
    """Whether the network is to slide along the bands of the cubes."""
    return any(value_of(words, option) == "windows" for option in _BANDS)


def _given(words: Sequence[str], options: Sequence[str]) -> bool:
    return any(word.partition("=")[0] in options for word in words)


def _data_words(words: Sequence[str]) -> list[str]:
    """Return the options of `data` that say how cubes are read and chosen, without `init_args`."""
    skipped = {"--data.role", "--data.degradation", "--data.trained_wavelengths"}
    found: list[str] = []
    taking = False
    for word in words:
        if word.startswith("--"):
            name = word.partition("=")[0].replace(".init_args", "")
            taking = name.startswith("--data.") and not any(name.startswith(one) for one in skipped)
            if taking:
                found.append(name + (f"={word.partition('=')[2]}" if "=" in word else ""))
        elif taking:
            found.append(word)
    return found
