"""The estimated sparse stochastic transport T = B A of HIR-ALIGN Eq. 25-26 as an operator."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from callbacks.transfer.stencil import clamp_fold, clamp_pad, interpolate, scatter, windows
from hyperalign.errors import InputError

_BLOCK = 16384


class TransportOperator:
    """T = B A: soft aggregation of K proxy pixels, then an s x s interpolation, the same for every band.

    Rows are nonnegative and sum to one; a row touches at most K * s^2 proxy pixels (supplement, proposition S1.2).
    """

    def __init__(self, candidates: Tensor, aggregation: Tensor, interpolation: Tensor) -> None:
        """Take the estimated parameters.

        Args:
            candidates: flat proxy pixel numbers v_{u,k}, K x H x W, int32 or int64.
            aggregation: weights a* of Eq. 22, K x H x W.
            interpolation: weights b* of Eq. 22, s^2 x H x W in row-major order of the offsets.
        """
        self.candidates = candidates
        self.aggregation = aggregation
        self.interpolation = interpolation

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the lattice, in pixels."""
        return int(self.candidates.shape[1]), int(self.candidates.shape[2])

    @property
    def kernel_size(self) -> int:
        """Side s of the interpolation kernel."""
        return math.isqrt(int(self.interpolation.shape[0]))

    def _check(self, cube: Tensor) -> None:
        if cube.ndim != 3 or tuple(cube.shape[1:]) != self.shape:
            raise InputError(
                f"The transport works on cubes of C x {self.shape[0]} x {self.shape[1]}, got "
                f"{' x '.join(map(str, cube.shape))}: pass the proxy whose RGB it was estimated for."
            )

    def aggregate(self, cube: Tensor) -> Tensor:
        """Apply A (Eq. 23): C x H x W -> C x H x W."""
        self._check(cube)
        channels = cube.shape[0]
        table = cube.reshape(channels, -1).t().contiguous()
        candidates, weights = self.candidates.flatten(1), self.aggregation.flatten(1)
        out = torch.empty_like(table)
        for start in range(0, table.shape[0], _BLOCK):
            part = slice(start, start + _BLOCK)
            total = out[part].zero_()
            for index, weight in zip(candidates[:, part], weights[:, part], strict=True):
                total.addcmul_(table.index_select(0, index), weight[:, None])
        return out.t().reshape(cube.shape).contiguous()

    def interpolate(self, cube: Tensor) -> Tensor:
        """Apply B (Eq. 24): C x H x W -> C x H x W."""
        self._check(cube)
        height, width = self.shape
        size = self.kernel_size
        padded = clamp_pad(cube, size // 2)[:, None]
        out = torch.empty_like(cube, memory_format=torch.contiguous_format)
        rows = max(1, _BLOCK // width)
        for start in range(0, height, rows):
            stop = min(start + rows, height)
            weights = self.interpolation[:, None, start:stop].contiguous()
            shifted = windows(padded, size, start, stop - start)
            interpolate(shifted, weights, torch.empty_like(weights), out[:, None, start:stop])
        return out

    def apply(self, cube: Tensor) -> Tensor:
        """Transport a cube: T p (Eq. 26).

        Args:
            cube: C x H x W, any number of bands, in the dtype of the weights.

        Returns:
            C x H x W.

        Raises:
            ValueError: if the size differs from the lattice of the operator.
        """
        return self.interpolate(self.aggregate(cube))

    def adjoint(self, cube: Tensor) -> Tensor:
        """Apply the transpose T^T = A^T B^T.

        Args:
            cube: C x H x W.

        Returns:
            C x H x W with <T p, y> = <p, T^T y>.

        Raises:
            ValueError: if the size differs from the lattice of the operator.
        """
        self._check(cube)
        height, width = self.shape
        radius = self.kernel_size // 2
        padded = cube.new_zeros(cube.shape[0], 1, height + 2 * radius, width + 2 * radius)
        scatter(self.interpolation[:, None], cube[:, None].contiguous(), padded, 0)
        spread = clamp_fold(padded, radius)[:, 0].reshape(cube.shape[0], -1).t().contiguous()
        out = torch.zeros_like(spread)
        for index, weight in zip(self.candidates.flatten(1), self.aggregation.flatten(1), strict=True):
            out.index_add_(0, index, spread * weight[:, None])
        return out.t().reshape(cube.shape).contiguous()

    def row_sums(self) -> Tensor:
        """Return the sum of every row of T, H x W; one up to rounding."""
        return self.apply(self.aggregation.new_ones(1, *self.shape))[0]

    def displacement(self) -> Tensor:
        """Return the displacement field d of Eq. 18: expected source coordinate minus own coordinate.

        Returns:
            2 x H x W in pixels, vertical component first.
        """
        height, width = self.shape
        y = torch.div(self.candidates, width, rounding_mode="floor")
        x = self.candidates - y * width
        expected = torch.stack([(axis * self.aggregation).sum(0) for axis in (y, x)])
        rows = torch.arange(height, device=expected.device, dtype=expected.dtype)
        columns = torch.arange(width, device=expected.device, dtype=expected.dtype)
        expected[0] -= rows[:, None]
        expected[1] -= columns
        return expected

    def support(self) -> Tensor:
        """Return the number of distinct proxy pixels that each row of T touches, H x W int64, at most K * s^2."""
        size = self.kernel_size
        padded = clamp_pad(self.candidates, size // 2)[:, None].contiguous()
        counts = []
        for start in range(self.shape[0]):
            touched = windows(padded, size, start, 1)[..., 0, 0, :].reshape(-1, self.shape[1])
            ordered = touched.sort(0).values
            counts.append(1 + (ordered[1:] != ordered[:-1]).sum(0))
        return torch.stack(counts)

    def kappa(self, iterations: int = 100, tolerance: float = 1e-5) -> float:
        """Return the overlap constant of supplement S2.1: the largest eigenvalue of T^T T, by power iteration.

        Args:
            iterations: at most this many steps.
            tolerance: stop when the estimate changes by less, relatively.

        Returns:
            kappa >= 1; 1 for a permutation, larger where many pixels reuse the same spectra.
        """
        vector = self.aggregation.new_ones(1, *self.shape)
        estimate = 0.0
        for _ in range(iterations):
            vector = vector / vector.norm()
            image = self.adjoint(self.apply(vector))
            previous, estimate = estimate, float((image * vector).sum())
            vector = image
            if abs(estimate - previous) <= tolerance * estimate:
                break
        return estimate

    def to_sparse(self) -> Tensor:
        """Return the matrix T itself, sparse COO, (H * W) x (H * W): for tests and small images."""
        height, width = self.shape
        count, size = height * width, self.kernel_size
        pixels = torch.arange(count, device=self.candidates.device)
        rows = pixels.expand(self.candidates.shape[0], count).reshape(-1)
        aggregate = torch.sparse_coo_tensor(
            torch.stack((rows, self.candidates.flatten().long())),
            self.aggregation.flatten(),
            (count, count),
            check_invariants=True,
        )
        padded = clamp_pad(pixels.view(1, 1, height, width), size // 2)
        sources = windows(padded, size, 0, height).reshape(size * size, count)
        rows = pixels.expand(size * size, count).reshape(-1)
        stencil = torch.sparse_coo_tensor(
            torch.stack((rows, sources.reshape(-1))),
            self.interpolation.flatten(),
            (count, count),
            check_invariants=True,
        )
        product: Tensor = torch.sparse.mm(stencil.coalesce(), aggregate.coalesce())
        return product.coalesce()
