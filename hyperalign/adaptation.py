"""The front door for adaptation: noisy arrays in, a network adapted to their sensor out, as `hyperalign adapt` does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal, cast

from hyperalign.door import load
from hyperalign.errors import FileAccessError, HyperalignError, InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from datamodules.estimation import NoiseEstimate
    from experiments.configuration.lightning_cli import HyperalignCLI

__all__ = ["Adapted", "adapt"]

_ARGUMENTS = ("wavelengths", "axes", "bands", "normalisation", "nan")
"""Arguments of `adapt` by the names that they have as settings of a folder."""


@dataclass(frozen=True)
class Adapted:
    """What an adaptation left; `hyperalign.restore(cube, adapted)` restores by it.

    Attributes:
        checkpoint: the adapted checkpoint.
        folder: where its tables, pictures and logs are.
        estimate: the noise that was measured of the cubes; None where the task was given.
        gains: what adaptation brought, estimated without truth: of every test set the change in dB, and both ends of
            its 95 % interval; empty where no error can be estimated.
        left_out: why single cubes were not used, by their names; empty where all were.
    """

    checkpoint: Path
    folder: Path
    estimate: NoiseEstimate | None
    gains: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)

    def __fspath__(self) -> str:
        """Return the path of the checkpoint, so that it is taken wherever one is."""
        return str(self.checkpoint)

    @property
    def network(self) -> nn.Module:
        """The adapted network, read from the checkpoint: in eval mode, without gradients."""
        return load(self.checkpoint)


def adapt(
    cubes: Sequence[NDArray[Any] | Tensor] | Mapping[str, NDArray[Any] | Tensor],
    *,
    wavelengths: Sequence[float] | str,
    axes: Literal["CHW", "HWC"] | None = None,
    source: str | Path | None = None,
    bands: Literal["refuse", "select", "interpolate", "windows"] = "refuse",
    normalisation: str = "checkpoint",
    nan: Literal["refuse", "keep"] = "refuse",
    steps: int | None = None,
    folder: str | Path = "runs/adapted",
    options: Sequence[str] = (),
) -> Adapted:
    """Adapt a network to degraded cubes of one sensor, nothing clean anywhere.

    It is the command `hyperalign adapt` on arrays: the noise is estimated from them, proxies are made, and a source
    checkpoint is finetuned on them. The cubes are written below the folder while it works, and removed afterwards.

    Args:
        cubes: NumPy arrays or tensors of real numbers, by name if they have any.
        wavelengths: centres of their bands in nm, or `FIRST:LAST:COUNT`.
        axes: `CHW` or `HWC`; None takes the axis that has as many values as there are wavelengths for the bands.
        source: checkpoint to start from; None takes the packaged one that was trained for the noise of the cubes.
        bands: for a source of other bands, see `hyperalign.restore`.
        normalisation: how values come to [0, 1], see `hyperalign.restore`.
        nan: what to do with missing values (NaN, infinite, masked, or marks such as -9999): `refuse` them, or `keep`
            them, which gives the network the median of their band there.
        steps: training steps, at least 1; None takes those of the recipe.
        folder: where checkpoint, tables and pictures go; finished proxies are kept there for the next call.
        options: further words of the command, such as `["--data.unobserved", "[garden]"]`.

    Raises:
        InputError: for no cubes, cubes of other shapes, values that are not finite, or noise that no packaged source
            was trained for; HyperalignError for whatever else the command refuses.
    """
    from datamodules.scenes.band_matching import band_centres
    from experiments.cli import run

    centres = band_centres(wavelengths if isinstance(wavelengths, str) else list(wavelengths), "wavelengths")
    named = cubes if isinstance(cubes, Mapping) else {f"cube_{number}": cube for number, cube in enumerate(cubes)}
    if not named:
        raise InputError("There is no cube to adapt to: give at least one array.")
    if steps is not None and steps < 1:
        raise InputError(f"adapt got steps={steps}: give at least 1, or leave it out for those of the recipe.")
    upright = {name: _upright(cube, f"cube {name!r}", len(centres), axes, nan) for name, cube in named.items()}
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".cubes-", dir=place) as written:
            _write(upright, Path(written))
            words = ["--data.root", written, "--data.axes", "CHW", "--data.wavelengths", str(list(centres))]
            words += ["--data.bands", bands, "--data.normalisation", normalisation, "--data.nan", nan]
            words += _run_words(source, steps, place)
            with _in_terms_of_arrays(Path(written)):
                return _adapted(run(["adapt", *words, *options]))
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise FileAccessError(
            f"The folder {place} cannot be written ({error.strerror or error}): choose another one."
        ) from error


def _run_words(source: str | Path | None, steps: int | None, place: Path) -> list[str]:
    """Return the words of the command that say what is started from, how long it trains and where it is kept."""
    words = [] if source is None else ["--source", str(source)]
    words += [] if steps is None else ["--trainer.max_steps", str(steps)]
    return [*words, "--trainer.default_root_dir", str(place), "--proxy.store", str(place / "store")]


@contextmanager
def _in_terms_of_arrays(folder: Path) -> Iterator[None]:
    """Tell what the command refuses by the arguments of `adapt`, and not by files that a caller never saw.

    Raises:
        HyperalignError: of the same class.
    """
    try:
        yield
    except HyperalignError as error:
        error.args = (_retold(str(error), folder),)
        raise


def _retold(sentence: str, folder: Path) -> str:
    """Return a sentence about files of a folder and settings of a config as one about arrays and arguments."""
    sentence = sentence.replace(f"{folder}/", "").replace(f"cubes of {folder} ", "cubes ")
    sentence = sentence.replace("give data.init_args.root cubes", "give cubes").replace("--source", "`source`")
    return re.sub(
        r"data\.(?:init_args\.)?(\w+)",
        lambda match: f"`{match[1]}`" if match[1] in _ARGUMENTS else f"the option --data.{match[1]}",
        sentence,
    )


def _upright(
    cube: object, what: str, count: int, axes: str | None, rule: Literal["refuse", "keep"]
) -> NDArray[np.float32]:
    """Return a cube `C x H x W`, float32, of so many bands, with NaN where values are missing.

    Raises:
        InputError: for a cube of other bands, or one of which two axes may be the bands.
    """
    import numpy as np

    from datamodules.scenes.given import given_values

    given = given_values(cube, what, rule)
    values = given.values
    if given.missing is not None:
        values[given.missing] = np.nan
    shape = " x ".join(map(str, values.shape))
    if axes is None and values.shape[0] == count == values.shape[2]:
        raise InputError(f"The {what} of {shape} may have its bands first or last: give `axes`, CHW or HWC.")
    last = axes == "HWC" if axes is not None else values.shape[0] != count
    turned = values.transpose(2, 0, 1) if last else values
    if len(turned) != count:
        raise InputError(
            f"The {what} of {shape} has no axis of {count} bands{f' where {axes} has them' if axes else ''}, as "
            "many as there are `wavelengths`: give the centres of its bands."
        )
    return turned


def _write(cubes: Mapping[str, NDArray[np.float32]], folder: Path) -> None:
    import numpy as np

    from hyperalign.files import file_stem

    for name, cube in cubes.items():
        np.save(folder / f"{file_stem(name)}.npy", np.ascontiguousarray(cube))


def _adapted(command: HyperalignCLI) -> Adapted:
    """Return what a finished command left."""
    from callbacks import GainWithoutTruth
    from callbacks.reporting.without_truth.gain_rows import means
    from experiments.ending.places import checkpoint_of
    from hyperalign.folders import run_folder
    from hyperalign.trainers import callbacks_of

    trainer = command.trainer
    rows = [row for one in callbacks_of(trainer) if isinstance(one, GainWithoutTruth) for row in means(one.rows)]
    gains = {row.test_set: (row.gain.change, row.gain.low, row.gain.high) for row in rows}
    estimate = getattr(getattr(command.datamodule, "degradation", None), "estimate", None)
    left_out = {Path(name).stem: why for name, why in getattr(command.datamodule, "failures", {}).items()}
    return Adapted(cast("Path", checkpoint_of(trainer)), run_folder(trainer), estimate, gains, left_out)
