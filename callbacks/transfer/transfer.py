"""Warp-based spectral transfer: from a proxy and a guide RGB to the transport operator (HIR-ALIGN section III-B 2)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any, get_args

import torch
from torch import Tensor

from callbacks.transfer.batching import MatchedGuide, batches
from callbacks.transfer.compiled.estimation import CompiledEstimation
from callbacks.transfer.compiled.library import Backend, takes_compiled
from callbacks.transfer.compiled.refinement import compiled_nearest_of, compiled_refine
from callbacks.transfer.descriptors import PatchDescriptors
from callbacks.transfer.estimation import CPU_BLOCK_PIXELS, EstimationSettings, TransportEstimation
from callbacks.transfer.losses import LossWeights
from callbacks.transfer.refinement import refine
from callbacks.transfer.retrieval import ProxyIndex, Retrieval
from callbacks.transfer.transport import TransportOperator
from hyperalign.errors import InputError


class SpectralTransfer:
    """Estimates, from RGB alone, the sparse transport that turns a proxy into the guide's layout (Eq. 9-26).

    Example:
        operator = SpectralTransfer().estimate(proxy_rgb, guide_rgb)
        synthesised = operator.apply(proxy_cube)
    """

    def __init__(
        self,
        seeds: int = 16,
        refinement_radius: int = 1,
        candidates: int = 16,
        kernel_size: int = 7,
        steps: int = 200,
        learning_rate: float = 0.05,
        temperature: float = 1.0,
        patch_size: int = 5,
        chroma_weight: float = 0.25,
        gradient_weight: float = 0.5,
        weights: LossWeights | None = None,
        retrieval: Retrieval | None = None,
        guides_at_once: int | None = None,
        backend: Backend = "auto",
    ) -> None:
        """Take the published settings (section IV-D) unless told otherwise.

        Args:
            seeds: K_s, seeds retrieved for each guide pixel.
            refinement_radius: rho of Eq. 11, in pixels.
            candidates: K, candidates kept.
            kernel_size: s, odd side of the local interpolation kernel.
            steps: Adam steps on Eq. 20.
            learning_rate: of Adam.
            temperature: tau of Eq. 14.
            patch_size: odd side of the descriptor's patch.
            chroma_weight: lambda_c of Eq. 9.
            gradient_weight: lambda_g of Eq. 9.
            weights: weights of Eq. 20 (`LossWeights()` by default).
            retrieval: how nearest neighbours are searched (`Retrieval()` by default).
            guides_at_once: guides of equal size optimised in one batch, whatever their proxies; None is one on a CPU
                and what the memory allows on a GPU. It is no part of `settings`: a guide comes out as it does alone,
                to the bit on a CPU where blocks hold a multiple of 16 pixels, else up to rounding.
            backend: "compiled" refines and optimises by C++ loops that the machine's own compiler builds once, float32
                on a CPU; "torch" needs none; "auto" is "compiled" where it can be, and logs which. It is no part of
                `settings` either: results differ by rounding.

        Raises:
            ValueError: if a count is not positive, a window is not odd, or there is no such backend.
        """
        _check_settings({"kernel_size": kernel_size, "patch_size": patch_size}, backend)
        _check_counts({"seeds": seeds, "candidates": candidates, "guides_at_once": guides_at_once})
        self.seeds = seeds
        self.refinement_radius = refinement_radius
        self.candidates = candidates
        self.steps = steps
        self.chroma_weight = chroma_weight
        self.gradient_weight = gradient_weight
        self.patch_size = patch_size
        self.weights = weights or LossWeights()
        self.retrieval = retrieval or Retrieval()
        self.guides_at_once = guides_at_once
        self.backend: Backend = backend
        self.estimation = EstimationSettings(kernel_size, learning_rate, temperature, patch_size)

    def settings(self) -> dict[str, Any]:
        """Return everything that decides the result, JSON-able: part of a store key."""
        return {
            "seeds": self.seeds,
            "refinement_radius": self.refinement_radius,
            "candidates": self.candidates,
            "steps": self.steps,
            "chroma_weight": self.chroma_weight,
            "gradient_weight": self.gradient_weight,
            "weights": dataclasses.asdict(self.weights),
            "retrieval": dataclasses.asdict(self.retrieval),
            "estimation": dataclasses.asdict(self.estimation),
        }

    def estimate(
        self, proxy_rgb: Tensor, guide_rgb: Tensor, progress: Callable[[int], None] | None = None
    ) -> TransportOperator:
        """Estimate the transport for one guide.

        Args:
            proxy_rgb: 3 x H x W, expected in [0, 1] (clamped).
            guide_rgb: 3 x H x W, the same size, on the same device.
            progress: called after every step with the number of steps done.

        Returns:
            The operator; `operator.apply(proxy_cube)` is the synthesised cube.

        Raises:
            ValueError: if shapes or dtypes differ, shapes are not 3 x H x W, dtypes neither float32 nor float64, or
                values are not finite.
        """
        return self.estimate_many(proxy_rgb, guide_rgb[None], progress)[0]

    def estimate_many(
        self, proxy_rgb: Tensor, guides: Tensor, progress: Callable[[int], None] | None = None
    ) -> list[TransportOperator]:
        """Estimate the transports of several guides of one proxy, which share its descriptors and search index.

        The operators of all guides are held at the end, about 0.1 GB each at 512 x 512: `estimate_batches` gives them
        out as they are found.

        Args:
            proxy_rgb: 3 x H x W, expected in [0, 1] (clamped).
            guides: n x 3 x H x W.
            progress: called after every step with the number of steps done over all guides, n * `steps` in the end.

        Returns:
            One operator for each guide.

        Raises:
            ValueError: if shapes or dtypes differ, shapes are not 3 x H x W, dtypes neither float32 nor float64, or
                values are not finite.
        """
        pairs = ((proxy_rgb, guide_rgb) for guide_rgb in guides)
        return [operator for batch in self.estimate_batches(pairs, progress) for operator in batch]

    def estimate_batches(
        self, pairs: Iterable[tuple[Tensor, Tensor]], progress: Callable[[int], None] | None = None
    ) -> Iterator[list[TransportOperator]]:
        """Estimate the transports of guides of any proxies, batch by batch of `guides_at_once`.

        A pair is asked for when its turn comes and forgotten when its batch is done, so memory does not grow with
        their number.

        Args:
            pairs: proxy RGB and guide, 3 x H x W each, as for `estimate`. Neighbouring pairs whose proxy is the same
                tensor (the object, not its values) share its descriptors and search index; neighbouring pairs of equal
                size may be in one batch.
            progress: called after every step with the number of steps done over all guides so far.

        Yields:
            The operators of one batch, in the order of the pairs; every guide's is that of `estimate`.

        Raises:
            ValueError: if shapes or dtypes differ, shapes are not 3 x H x W, dtypes neither float32 nor float64, or
                values are not finite.
        """
        finished = 0
        for batch in batches(self._matched(pairs), self.candidates, self.estimation.kernel_size, self.guides_at_once):
            count = len(batch)
            found = self._optimised(batch, progress, finished)
            yield found
            finished += count * self.steps
            del found

    def _optimised(
        self, batch: list[MatchedGuide], progress: Callable[[int], None] | None, before: int
    ) -> list[TransportOperator]:
        """The operators of some matched guides of equal size, which are forgotten; autocast or not around it."""
        count = len(batch)
        with torch.autocast(batch[0].guide_rgb.device.type, enabled=False):
            estimation = self._estimation(batch)
            batch.clear()
            for step in range(1, self.steps + 1):
                estimation.step()
                if progress is not None:
                    progress(before + step * count)
            return estimation.operators()

    def _estimation(self, batch: list[MatchedGuide]) -> TransportEstimation | CompiledEstimation:
        """The optimisation of some matched guides of equal size."""
        guides = torch.stack([one.guide_rgb for one in batch], 1)
        given = (
            torch.stack([one.proxy_rgb for one in batch], 1),
            guides,
            torch.stack([one.candidates for one in batch], 1),
            torch.stack([one.distances for one in batch], 1),
            self.weights,
            self.estimation,
        )
        if takes_compiled(self.backend, guides):
            return CompiledEstimation(*given)
        return TransportEstimation(*given, block_pixels=guides[0, 0].numel() if guides.is_cuda else CPU_BLOCK_PIXELS)

    def _matched(self, pairs: Iterable[tuple[Tensor, Tensor]]) -> Iterator[MatchedGuide]:
        """Step 1 of section III-B 2) for each pair, with one proxy's search index at a time."""
        given: Tensor | None = None
        index: ProxyIndex | None = None
        for proxy_rgb, guide_rgb in pairs:
            _check(proxy_rgb, guide_rgb)
            if index is None or proxy_rgb is not given:
                # The last proxy's index goes before the next one's is built.
                given, index = proxy_rgb, None
                proxy_image = proxy_rgb.detach().clamp(0, 1)
                compiled = takes_compiled(self.backend, proxy_image)
                with torch.autocast(proxy_image.device.type, enabled=False):
                    proxy = self._descriptors(proxy_image)
                    index = self.retrieval.index(proxy, compiled_nearest_of if compiled else None)
            guide_image = guide_rgb.detach().clamp(0, 1)
            with torch.autocast(guide_image.device.type, enabled=False):
                matched = MatchedGuide(proxy_image, guide_image, *self._match(index, proxy, guide_image))
            yield matched
            del matched

    def _match(self, index: ProxyIndex, proxy: PatchDescriptors, guide_rgb: Tensor) -> tuple[Tensor, Tensor]:
        """Candidates and distances of one guide (Eq. 10-13), K x H x W each."""
        guide = self._descriptors(guide_rgb)
        seeds = index.search(guide, self.seeds)
        refined = compiled_refine if takes_compiled(self.backend, guide_rgb) else refine
        candidates, distances = refined(guide, proxy, seeds, self.refinement_radius, self.candidates)
        shape = (self.candidates, *guide_rgb.shape[1:])
        return candidates.view(shape), distances.view(shape)

    def _descriptors(self, image: Tensor) -> PatchDescriptors:
        return PatchDescriptors(
            image,
            patch_size=self.patch_size,
            chroma_weight=self.chroma_weight,
            gradient_weight=self.gradient_weight,
        )


def _check_settings(windows: dict[str, int], backend: str) -> None:
    for name, value in windows.items():
        if value < 1 or value % 2 == 0:
            raise InputError(f"SpectralTransfer: {name} must be a positive odd number of pixels, got {value}.")
    if backend not in get_args(Backend):
        raise InputError(f"SpectralTransfer: backend must be auto, compiled or torch, got '{backend}'.")


def _check_counts(counts: dict[str, int | None]) -> None:
    for name, count in counts.items():
        if count is not None and count < 1:
            raise InputError(f"SpectralTransfer: {name} must be at least 1, got {count}.")


def _check(proxy_rgb: Tensor, guide_rgb: Tensor) -> None:
    if proxy_rgb.ndim != 3 or proxy_rgb.shape[0] != 3 or guide_rgb.shape != proxy_rgb.shape:
        raise InputError(
            "Spectral transfer needs a proxy RGB of 3 x H x W and guides of the same size, got a proxy of "
            f"{' x '.join(map(str, proxy_rgb.shape))} and guides of {' x '.join(map(str, guide_rgb.shape))}."
        )
    if guide_rgb.dtype != proxy_rgb.dtype or proxy_rgb.dtype not in (torch.float32, torch.float64):
        raise InputError(
            "Spectral transfer needs a proxy RGB and guides that are both float32 or both float64, got "
            f"{proxy_rgb.dtype} and {guide_rgb.dtype}: convert them, as by .float()."
        )
    if not proxy_rgb.numel():
        raise InputError("Spectral transfer got a proxy RGB without a pixel: check what made it.")
    for name, image in (("proxy RGB", proxy_rgb), ("guide", guide_rgb)):
        if not torch.isfinite(image).all():
            raise InputError(f"Spectral transfer got a {name} with NaN or infinite values: check what made it.")
