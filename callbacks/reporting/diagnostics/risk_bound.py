"""HIR-ALIGN's bound on the target risk (section III-D, Theorem III.1) as numbers: its terms, and the best mixture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class RiskBound:
    """The terms of Eq. 43 of the paper, by their names there.

    Attributes:
        coverage_proxy: Delta_p, distance of the target to the clean observed scenes (Eq. 36).
        coverage_warp: Delta_w + e_w, or the distance of the target to the warped clean scenes, which it bounds (S29).
        perturbation_proxy: epsilon_p, distance of proxies to the clean observed scenes (Eq. 39).
        perturbation_warp: epsilon_g, the same of the warped ones.
        lipschitz: L of Eq. 41.
        bayes: R_t(F*), the least risk there is.
        comparator_bias: B_0 squared (Eq. 40).
        warp_bias: B_warp squared (Eq. 40).
        views: C_v / m_eff by the share alpha of generated samples (Eq. 42).
    """

    coverage_proxy: float
    coverage_warp: float
    perturbation_proxy: float
    perturbation_warp: float
    lipschitz: float = 1.0
    bayes: float = 0.0
    comparator_bias: float = 0.0
    warp_bias: float = 0.0
    views: Callable[[float], float] = lambda share: 0.0

    def coverage(self, share: float) -> float:
        """Return Delta_alpha of Eq. 38; `share` is alpha, the share of generated samples."""
        return (1 - share) * self.coverage_proxy + share * self.coverage_warp

    def perturbation(self, share: float) -> float:
        """Return epsilon(alpha) of Eq. 38."""
        return (1 - share) * self.perturbation_proxy + share * self.perturbation_warp

    def total(self, share: float) -> float:
        """Return the right side of Eq. 43; with 0 and 1 it is U_proxy and U_gen of Eq. 51 and 52."""
        biases = self.bayes + self.comparator_bias + share * self.warp_bias
        return biases + self.views(share) + self.lipschitz * (self.coverage(share) + 2 * self.perturbation(share))

    def beats_source(
        self, share: float, coverage_source: float, source_bias: float = 0.0, source_views: float = 0.0
    ) -> bool:
        """Tell whether Eq. 49 holds: whether this bound is tighter than the source-only one of Eq. 46.

        Args:
            share: alpha.
            coverage_source: Delta_s, distance of the target to the source (Eq. 45).
            source_bias: B_src squared.
            source_views: C_s / m_s.
        """
        return self.total(share) < self.bayes + source_bias + source_views + self.lipschitz * coverage_source


def share_of(ratio: float) -> float:
    """Return alpha of a ratio r of generated to observed scenes, when all are drawn equally often."""
    return ratio / (1 + ratio)


def best_ratio(bound: RiskBound, ratios: Sequence[float]) -> float:
    """Return the ratio whose bound is least."""
    return min(ratios, key=lambda ratio: bound.total(share_of(ratio)))


def perturbation_bounds(errors: Sequence[float], kappa: float, lipschitz: float) -> tuple[float, float]:
    """Return the upper bounds of epsilon_p and epsilon_g of Eq. 44.

    Args:
        errors: Frobenius norms of the proxies' errors E, one an observed scene.
        kappa: largest eigenvalue of T'T over all transports.
        lipschitz: L_D of the degradation.
    """
    mean = sum(errors) / len(errors)
    square = sum(error**2 for error in errors) / len(errors)
    return (1 + lipschitz) * mean, (1 + lipschitz) * (kappa * square) ** 0.5
