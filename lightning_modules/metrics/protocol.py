"""The metric protocol: one object that fixes every convention, computes the scores and names itself in every table."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import MetricCollection

from hyperalign.errors import InputError, WrongTypeError
from lightning_modules.metrics import functional
from lightning_modules.metrics.functional import ErgasMean, PsnrMean, SamZero, SsimWindow
from lightning_modules.metrics.streaming import SceneMean

__all__ = ["MetricProtocol"]

METRICS = ("psnr", "ssim", "sam", "ergas")
Cube: TypeAlias = Tensor | NDArray[Any]
Clip = Literal["restored", "both"]


class MetricProtocol:
    """Conventions under which restored cubes are scored.

    The default is the one on which most published codes agree: PSNR mean over bands, Gaussian SSIM on full windows,
    SAM in degrees over pixels that have an angle, ERGAS as defined, nothing clipped. A mean over scenes is the mean of
    the scenes' scores, whatever their sizes.

    Args:
        data_range: peak value of the cubes.
        clip: clip to [0, data_range] before scoring: False (neither), `restored` (True means the same) or `both`.
        psnr: `band_mean` or `global`.
        psnr_equal: PSNR in dB of a band without any error.
        ssim_window: `gaussian` (11 x 11, sigma 1.5, population covariance) or `uniform` (7 x 7, sample covariance).
        sam_zero: what pixels with an all-zero spectrum count: see `metrics.functional.sam`.
        ergas_ratio: spatial ratio of the task in ERGAS: 1 for denoising, 4 for x4 super-resolution; None takes that of
            the data that a module is tested or validated on.
        ergas_mean: ERGAS divides by the `squared` or the `plain` band mean.
        ergas_reference: cube whose band means ERGAS takes, `target` or `restored`.

    Raises:
        ValueError: for an unknown convention, or a range or ratio that is not positive.
    """

    def __init__(
        self,
        data_range: float = 1.0,
        clip: bool | Clip = False,
        psnr: PsnrMean = "band_mean",
        psnr_equal: float = math.inf,
        ssim_window: SsimWindow = "gaussian",
        sam_zero: SamZero = "skip",
        ergas_ratio: float | None = 1.0,
        ergas_mean: ErgasMean = "squared",
        ergas_reference: Literal["target", "restored"] = "target",
    ) -> None:
        _check("clip", clip, (False, True, *get_args(Clip)))
        _check("psnr", psnr, get_args(PsnrMean))
        _check("ssim_window", ssim_window, get_args(SsimWindow))
        _check("sam_zero", sam_zero, get_args(SamZero))
        _check("ergas_mean", ergas_mean, get_args(ErgasMean))
        _check("ergas_reference", ergas_reference, ("target", "restored"))
        if not (data_range > 0 and (ergas_ratio is None or ergas_ratio > 0)):
            raise InputError(
                f"MetricProtocol: data_range {data_range} and ergas_ratio {ergas_ratio} must both be positive."
            )
        self.data_range = data_range
        self.clip: Literal[False] | Clip = "restored" if clip is True else clip
        self.psnr = psnr
        self.psnr_equal = psnr_equal
        self.ssim_window = ssim_window
        self.sam_zero = sam_zero
        self.ergas_ratio = ergas_ratio
        self.ergas_mean = ergas_mean
        self.ergas_reference = ergas_reference

    def evaluate(self, restored: Cube, target: Cube) -> dict[str, float]:
        """Score one cube.

        Args:
            restored: `C x H x W` or `1 x C x H x W`, a tensor or a NumPy array; whole numbers are converted.
            target: clean cube of the same shape.

        Returns:
            `psnr` in dB, `ssim`, `sam` in degrees, `ergas`.

        Raises:
            ValueError: when the shapes differ, hold several cubes, or are smaller than the SSIM window; when values are
                not finite; when whole numbers exceed the data range.
            TypeError: for anything but tensors and arrays of real numbers.
        """
        return {name: self.score(name, restored, target) for name in METRICS}

    def score(self, name: str, restored: Cube, target: Cube) -> float:
        """Compute one of `psnr`, `ssim`, `sam`, `ergas` for one cube: see `evaluate`.

        Raises:
            ValueError: for another name, or as `evaluate`.
        """
        _check("metric", name, METRICS)
        restored, target = self._prepare(self._floating(restored, "restored"), self._floating(target, "target"))
        if name == "psnr":
            return functional.psnr(restored, target, self.data_range, self.psnr, self.psnr_equal)
        if name == "ssim":
            return functional.ssim(restored, target, self.data_range, self.ssim_window)
        if name == "sam":
            return functional.sam(restored, target, self.sam_zero)
        if self.ergas_ratio is None:
            raise InputError("MetricProtocol: ERGAS needs the ratio of the task: give ergas_ratio, or take of_ratio().")
        reference = target if self.ergas_reference == "target" else restored
        return functional.ergas(restored, target, self.ergas_ratio, self.ergas_mean, reference)

    def of_ratio(self, ratio: float) -> MetricProtocol:
        """Return the same conventions for a task of this spatial ratio."""
        return MetricProtocol(**(vars(self) | {"ergas_ratio": ratio}))

    def collection(self, prefix: str = "") -> MetricCollection:
        """Return the streaming metrics `<prefix>psnr`, ... for batches `B x C x H x W`: see `SceneMean`."""
        metrics = {name: SceneMean(partial(self.score, name)) for name in METRICS}
        return MetricCollection(metrics, prefix=prefix, compute_groups=False)  # type: ignore[arg-type]

    def describe(self) -> str:
        """Name every convention in one line, to be printed with a table."""
        window = {"gaussian": "Gaussian 11 x 11 sigma 1.5", "uniform": "uniform 7 x 7"}[self.ssim_window]
        clipped = {"restored": "restored clipped", "both": "both clipped"}.get(str(self.clip), "not clipped")
        mean = {"band_mean": "mean over bands", "global": "whole cube"}[self.psnr]
        if math.isfinite(self.psnr_equal):
            mean += f" ({self.psnr_equal:g} dB without error)"
        ratio = "of the task" if self.ergas_ratio is None else f"{self.ergas_ratio:g}"
        return (
            f"range {self.data_range:g}, {clipped}; PSNR {mean}; SSIM {window}, full windows; "
            f"SAM in degrees, zero spectra: {self.sam_zero}; "
            f"ERGAS ratio {ratio}, {self.ergas_mean} mean of {self.ergas_reference}; mean over scenes"
        )

    def _floating(self, cube: Cube, what: str) -> Tensor:
        """Return a cube as a tensor of fractions."""
        if isinstance(cube, np.ndarray) and cube.dtype.kind in "fiub":
            wide = cube.astype(np.int64) if cube.dtype.kind in "iub" else cube.astype(np.float64)
            cube = torch.from_numpy(wide)
        if not isinstance(cube, Tensor) or cube.is_complex():
            kind = getattr(cube, "dtype", type(cube).__name__)
            raise WrongTypeError(
                f"MetricProtocol: the {what} cube is {kind}; give a tensor or a NumPy array of real numbers."
            )
        if cube.is_floating_point():
            return cube
        largest = int(cube.max()) if cube.numel() else 0
        if largest > self.data_range:
            raise InputError(
                f"MetricProtocol: the {what} cube holds whole numbers up to {largest}, beyond the data range of "
                f"{self.data_range:g}; divide it by its peak value, or set data_range to that."
            )
        return cube.double()

    def _prepare(self, restored: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Bring both cubes to `C x H x W` and clip them as the protocol says."""
        if restored.shape != target.shape:
            raise InputError(
                f"MetricProtocol: the restored cube is {list(restored.shape)} and its target {list(target.shape)}; "
                "give both the same bands and size."
            )
        if target.ndim == 4 and len(target) == 1:
            restored, target = restored[0], target[0]
        if target.ndim != 3:
            raise InputError(
                f"MetricProtocol: cubes of shape {list(target.shape)} cannot be scored at once; "
                "give one C x H x W cube, or use collection() for batches."
            )
        for what, cube in (("restored", restored), ("target", target)):
            finite = cube.isfinite().flatten(1).all(dim=1)
            if not bool(finite.all()):
                bands = ", ".join(str(int(band)) for band in (~finite).nonzero().flatten())
                raise InputError(
                    f"MetricProtocol: the {what} cube holds NaN or infinite values in band {bands} of {len(cube)}, "
                    "counted from 0; repair or leave out those bands before scoring."
                )
        if self.clip:
            restored = restored.clamp(0, self.data_range)
        if self.clip == "both":
            target = target.clamp(0, self.data_range)
        return restored, target


def _check(name: str, value: object, choices: tuple[object, ...]) -> None:
    """Refuse a value outside the choices, in one sentence."""
    if value not in choices:
        raise InputError(f"MetricProtocol: {name} {value!r} is unknown; choose one of {', '.join(map(repr, choices))}.")
