"""The estimation of `TransportEstimation` by compiled loops: the same objective, gradients and Adam steps.

Every guide is worked on alone, so it comes out to the bit as in any batch, and its logits to the bit as with any number
of threads. Against the torch form the results differ by rounding.
"""

from __future__ import annotations

import ctypes
import math

import torch
from torch import Tensor
from torch.nn import functional

from callbacks.transfer.aggregation import candidate_table, normalised_distances
from callbacks.transfer.compiled.library import address, library
from callbacks.transfer.estimation import EstimationSettings
from callbacks.transfer.losses import LossWeights, patch_coverage
from callbacks.transfer.mutual_information import MutualInformation
from callbacks.transfer.structural_similarity import WINDOW, StructuralSimilarity
from callbacks.transfer.transport import TransportOperator

_TILE, _VECTOR = 128, 16  # pixels: at most in a tile, and of what they are a multiple
_BAND = 16  # rows whose gradients are collected before they are added to those of other bands
_IMAGE_BAND = 32  # rows of one histogram
_TABLE_ROWS = 64  # rows whose candidate values are gathered at once
_BETAS = (0.9, 0.999)

_COUNTS = ("height", "width", "tiles", "tile", "size", "choices", "bins", "band", "threads")
_WEIGHTS = ("smoothness", "gradient", "distance", "similarity", "mutual", "temperature")
_TABLES = (
    "kernels", "kernels_first", "kernels_second", "logits", "logits_first", "logits_second", "values", "guide",
    "coverage", "window", "guide_mean", "guide_variance", "guide_rows", "guide_bins", "guide_scale", "padded", "spread",
    "synthesised", "colour", "coordinates", "slope", "largest", "scale", "derivatives", "histograms", "slopes", "sums",
    "similarities",
)  # fmt: skip

_DTYPES = {
    "guide_rows": torch.int32, "histograms": torch.int64, "sums": torch.float64, "similarities": torch.float64,
}  # fmt: skip


class _State(ctypes.Structure):
    """Sizes, weights and addresses, as `State` of estimation.cpp has them."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in _COUNTS),
        *((name, ctypes.c_float) for name in _WEIGHTS),
        *((name, ctypes.c_void_p) for name in _TABLES),
    )


class CompiledEstimation:
    """The optimisation of Eq. 19-20 for N guides of equal size, of one proxy or of several, in float32 on a CPU."""

    def __init__(
        self,
        proxy_rgb: Tensor,
        guides: Tensor,
        candidates: Tensor,
        distances: Tensor,
        weights: LossWeights,
        settings: EstimationSettings,
    ) -> None:
        """Build the constant tables and the initial logits.

        Args:
            proxy_rgb: the proxy of all guides, 3 x H x W in [0, 1], or that of each, 3 x N x H x W.
            guides: 3 x N x H x W in [0, 1].
            candidates: flat proxy pixel numbers, K x N x H x W.
            distances: mean-L1 descriptor distances d_{u,k} of Eq. 13, K x N x H x W.
            weights: of the terms of Eq. 20.
            settings: see `EstimationSettings`.
        """
        proxies = proxy_rgb if proxy_rgb.ndim == 4 else proxy_rgb[:, None].expand(guides.shape)
        normalised = normalised_distances(distances)
        self._guides = [
            _Guide(proxies[:, n], guides[:, n], candidates[:, n], normalised[:, n], weights, settings)
            for n in range(guides.shape[1])
        ]
        self.history: list[Tensor] = []

    def objective(self) -> Tensor:
        """Return the value of Eq. 20 for each guide under the current parameters, N."""
        return torch.stack([guide.evaluate() for guide in self._guides])

    def step(self) -> None:
        """Take one Adam step on all logits; `history` gains the objective before the step, N values."""
        self.history.append(self.objective())
        for guide in self._guides:
            guide.move(len(self.history))

    def operators(self) -> list[TransportOperator]:
        """Return the transport of each guide under the current parameters (Eq. 22)."""
        return [guide.operator() for guide in self._guides]


class _Guide:
    """One guide's tables, logits and planes; those of a plane have rows of `pitch` floats, zero beyond the width."""

    def __init__(
        self,
        proxy: Tensor,
        guide: Tensor,
        candidates: Tensor,
        normalised: Tensor,
        weights: LossWeights,
        settings: EstimationSettings,
    ) -> None:
        self._weights, self._settings, self._candidates = weights, settings, candidates.contiguous()
        self._height, self._width = int(guide.shape[1]), int(guide.shape[2])
        self._pixels = self._height * self._width
        self._tiles = -(-self._width // _TILE)
        self._tile = -(-self._width // (self._tiles * _VECTOR)) * _VECTOR
        self._pitch = self._tiles * self._tile
        self._held: dict[str, Tensor] = {}
        self._loops = library("estimation")
        self._hold_parameters(proxy, normalised)
        self._hold_planes(guide)
        self._compare = self._loops.transfer_compare
        self._compare.restype = ctypes.c_double
        self._bins = self._hold_image_terms(guide)
        self._state = self._new_state(len(candidates))
        self._loops.transfer_aggregate(ctypes.byref(self._state))

    def _plane(self, planes: Tensor) -> Tensor:
        """Rows of `pitch` instead of `width` elements: ... x H x W -> ... x H x pitch."""
        return functional.pad(planes, (0, self._pitch - planes.shape[-1])).contiguous()

    def _tiled(self, choices: Tensor) -> Tensor:
        """Choices x h x W -> h x tiles x choices x tile."""
        tiles = self._plane(choices).view(*choices.shape[:2], self._tiles, self._tile)
        return tiles.permute(1, 2, 0, 3).contiguous()

    def _untiled(self, tiles: Tensor) -> Tensor:
        """H x tiles x choices x tile -> choices x H x W."""
        return tiles.permute(2, 0, 1, 3).reshape(tiles.shape[2], self._height, self._pitch)[..., : self._width]

    def _hold_parameters(self, proxy: Tensor, normalised: Tensor) -> None:
        """Candidate values, initial logits of both kinds, and the moments of Adam."""
        choices, taps = len(normalised), self._settings.kernel_size**2
        table = candidate_table(proxy[:, None].contiguous())
        values = table.new_empty(self._height, self._tiles, choices, 6, self._tile)
        for start in range(0, self._height, _TABLE_ROWS):
            rows = slice(start, start + _TABLE_ROWS)
            pixels = self._candidates[:, rows].long()
            gathered = table.index_select(1, pixels.reshape(-1)).view(5, *pixels.shape)
            for number, one in enumerate((*gathered, normalised[:, rows])):
                values[rows, :, :, number] = self._tiled(one)
        nearest = normalised.amin(0, keepdim=True)
        logits = self._tiled((normalised - nearest).mul_(-self._settings.sharpness))
        kernels = logits.new_zeros(self._height, self._tiles, taps, self._tile)
        kernels[:, :, taps // 2] = self._settings.centre
        self._held |= {"values": values, "logits": logits, "kernels": kernels}
        for name in ("logits", "kernels"):
            for moment in ("first", "second"):
                self._held[f"{name}_{moment}"] = torch.zeros_like(self._held[name])

    def _hold_planes(self, guide: Tensor) -> None:
        """The guide and the planes that a step fills."""
        frame = 2 * (self._settings.kernel_size // 2)
        bands, row = -(-self._height // _BAND), self._pitch + frame
        coverage = patch_coverage(self._height, self._width, self._settings.patch_size, guide)
        coverage = (self._weights.l1 + self._weights.patch * coverage) / 3
        self._held |= {"guide": self._plane(guide), "coverage": self._plane(coverage)}
        sizes = {"synthesised": 3, "colour": 3, "coordinates": 2, "slope": 2, "largest": 1, "scale": 1}
        self._held |= {name: guide.new_zeros(size, self._height, self._pitch) for name, size in sizes.items()}
        self._held["padded"] = guide.new_zeros(3, self._height + frame, row)
        self._held["spread"] = guide.new_empty(bands, 3, _BAND + frame, row)
        self._held["sums"] = torch.zeros(self._height, 6, dtype=torch.float64)

    def _hold_image_terms(self, guide: Tensor) -> int:
        """What mutual information and similarity need, where they have a weight; returns the bins of the former."""
        bins = 0
        if self._weights.mutual_information:
            mutual, bands = MutualInformation(guide[:, None]), -(-self._height // _IMAGE_BAND)
            bins = mutual.bins
            self._held["guide_rows"] = self._plane(mutual.base[:, 0].to(torch.int32))
            self._held["guide_bins"], self._held["guide_scale"] = mutual.guide_probability, mutual.scale
            self._held["slopes"] = guide.new_empty(3, 3 * bins**2)
            self._held["histograms"] = torch.empty(bands, 3 * bins**2, dtype=torch.int64)
        if self._weights.ssim:
            moments = StructuralSimilarity(guide[:, None])
            high = self._height - WINDOW + 1
            self._held["window"] = moments.window
            self._held["guide_mean"] = self._plane(moments.mean[:, 0])
            self._held["guide_variance"] = self._plane(moments.variance[:, 0])
            self._held["derivatives"] = guide.new_zeros(3, 3, high, self._pitch)
            self._held["similarities"] = torch.empty(3, high, dtype=torch.float64)
        return bins

    def _new_state(self, choices: int) -> _State:
        counts = (
            self._height, self._width, self._tiles, self._tile, self._settings.kernel_size, choices, self._bins, _BAND,
        )  # fmt: skip
        given, pixels = self._weights, self._pixels
        images = (one * pixels for one in (given.ssim, given.mutual_information))
        scaled = (given.smoothness * pixels, given.gradient * pixels, given.distance, *images)
        places = [
            address(self._held[name], _DTYPES.get(name, torch.float32)) if name in self._held else None
            for name in _TABLES
        ]
        return _State(*counts, torch.get_num_threads(), *scaled, self._settings.temperature, *places)

    def evaluate(self) -> Tensor:
        """Return the objective; leaves its gradients by the synthesised RGB and the coordinates behind."""
        self._state.threads = torch.get_num_threads()
        place = ctypes.byref(self._state)
        self._loops.transfer_synthesise(place)
        information: float = self._compare(place)
        self._loops.transfer_gradient(place)
        return (self._rest() + self._weights.mutual_information * information).to(torch.float32)

    def _rest(self) -> Tensor:
        """The terms that the loops sum."""
        colours, vertical, horizontal, rows, columns, distance = self._held["sums"].sum(0)
        down, along = max(1, self._pixels - self._width), max(1, self._pixels - self._height)
        value: Tensor = (colours + self._weights.distance * distance) / self._pixels
        value += self._weights.gradient * (vertical / (3 * down) + horizontal / (3 * along))
        value += self._weights.smoothness * (rows / (2 * down) + columns / (2 * along))
        if self._weights.ssim:
            windows = 3 * (self._height - WINDOW + 1) * (self._width - WINDOW + 1)
            value += self._weights.ssim * (1 - self._held["similarities"].sum() / windows)
        return value

    def move(self, number: int) -> None:
        """Take Adam's step of that number along the gradients that `evaluate` left."""
        first, second = (1 - beta**number for beta in _BETAS)
        rate, correction = self._settings.learning_rate / first, 1 / math.sqrt(second)
        given = (ctypes.c_float(one) for one in (rate, correction, self._settings.adam_epsilon))
        self._loops.transfer_step(ctypes.byref(self._state), *given)

    def operator(self) -> TransportOperator:
        """Return the transport under the current parameters."""
        logits, kernels = self._untiled(self._held["logits"]), self._untiled(self._held["kernels"])
        aggregation = torch.softmax(logits / self._settings.temperature, 0)
        return TransportOperator(self._candidates, aggregation, torch.softmax(kernels, 0))
