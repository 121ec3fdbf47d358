"""Theorem III.1 on a toy in which every term can be computed, and the best ratio between its ends.

Scenes are numbers, a degradation multiplies them, restorers multiply by a factor of a grid, and the loss is the
absolute error. Pairs (a y, y) then lie on a line on which the pair metric is (1 + a)|y - y'|, so that
every distance is exact.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from callbacks.reporting.diagnostics.risk_bound import RiskBound, best_ratio, perturbation_bounds, share_of
from callbacks.reporting.diagnostics.wasserstein import line_distance

FACTORS = torch.linspace(0.2, 3.0, 57, dtype=torch.float64)
"""The hypothesis class."""


class Toy:
    """One draw of the toy: target, observed scenes, their proxies, a warp that averages neighbours.

    A degradation that also saturates (a y below 1, half of it above) keeps any restorer from being perfect, so that
    what is trained on matters; on the set below and above it is Lipschitz with a.
    """

    def __init__(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.gain = 0.5 + float(torch.rand((), generator=generator))
        self.target = 2 * torch.rand(40, generator=generator, dtype=torch.float64)
        self.observed = self.target[:8]
        self.error = 0.2 * torch.randn(8, generator=generator, dtype=torch.float64)
        rows = torch.rand(24, 8, generator=generator, dtype=torch.float64) ** 4
        self.warp = rows / rows.sum(1, keepdim=True)

    def degrade(self, scenes: Tensor) -> Tensor:
        return self.gain * (scenes.clamp(max=1) + (scenes - 1).clamp(min=0) / 2)

    def risks(self, scenes: Tensor) -> Tensor:
        """Risk of every restorer of the class."""
        return (FACTORS[:, None] * self.degrade(scenes) - scenes).abs().mean(1)

    def distance(self, first: Tensor, second: Tensor) -> float:
        """W1 of the pair distributions: both coordinates grow with y, so the monotone coupling is the best one."""
        return float(line_distance(self.degrade(first), self.degrade(second)) + line_distance(first, second))

    def mixture(self, proxies: Tensor, generated: Tensor, share: float) -> Tensor:
        return (1 - share) * self.risks(proxies) + share * self.risks(generated)

    def bound(self) -> RiskBound:
        warped, proxies = self.warp @ self.observed, self.observed + self.error
        generated = self.warp @ proxies
        comparator = int(self.risks(self.target).argmin())
        clean = [float(self.risks(scenes)[comparator]) for scenes in (self.observed, warped)]
        bayes = 0.0  # the degradation is one to one: a restorer that inverts it makes no error
        return RiskBound(
            self.distance(self.target, self.observed),
            self.distance(self.target, warped),
            self.distance(self.observed, proxies),
            self.distance(warped, generated),
            lipschitz=max(float(FACTORS.max()), 1.0),
            bayes=bayes,
            comparator_bias=max(clean[0] - bayes, 0.0),
            warp_bias=max(clean[1] - clean[0], 0.0),
        )

    def risk(self, share: float) -> float:
        """Target risk of the restorer that is best on the actual mixture, found exactly: C_v / m_eff is 0."""
        proxies = self.observed + self.error
        best = int(self.mixture(proxies, self.warp @ proxies, share).argmin())
        return float(self.risks(self.target)[best])


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("share", [0.0, 0.25, 0.75, 1.0])
def test_the_target_risk_is_never_above_the_bound(seed: int, share: float) -> None:
    toy = Toy(seed)
    assert toy.risk(share) <= toy.bound().total(share) + 1e-12


def test_without_coverage_and_perturbation_it_would_be_broken() -> None:
    broken = 0
    for seed in range(40):
        toy, bound = Toy(seed), Toy(seed).bound()
        broken += toy.risk(0.0) > bound.bayes + bound.comparator_bias
    assert broken > 5


@pytest.mark.parametrize("seed", range(20))
def test_perturbations_are_below_their_own_bounds(seed: int) -> None:
    toy, bound = Toy(seed), Toy(seed).bound()
    kappa = float(torch.linalg.matrix_norm(toy.warp, 2) ** 2)
    proxy, _ = perturbation_bounds(toy.error.abs().tolist(), kappa, toy.gain)
    assert bound.perturbation_proxy <= proxy + 1e-12
    # as one image of 8 pixels whose norm is Frobenius', a pixel's error is at most the image's
    _, warped = perturbation_bounds([float(toy.error.norm())], kappa, toy.gain)
    assert bound.perturbation_warp <= warped + 1e-12


def test_terms_are_interpolated_and_the_ends_are_u_proxy_and_u_gen() -> None:
    bound = RiskBound(4.0, 2.0, 0.5, 1.0, 3.0, 0.25, 0.5, 2.0, lambda share: 1 - share / 2)
    assert bound.total(0.0) == 0.25 + 0.5 + 1.0 + 3 * (4.0 + 1.0)
    assert bound.total(1.0) == 0.25 + 0.5 + 2.0 + 0.5 + 3 * (2.0 + 2.0)
    assert (bound.coverage(0.5), bound.perturbation(0.5)) == (3.0, 0.75)
    assert bound.beats_source(0.0, 5.6)
    assert not bound.beats_source(0.0, 5.0)
    assert bound.beats_source(0.0, 5.0, source_bias=1.0, source_views=1.0)


def test_the_best_ratio_lies_inside_where_views_repeat_each_other() -> None:
    """Coverage falls as long as new views come, perturbation and warp bias rise with every one: Table VII's shape."""
    views = {0: 1.0, 1: 0.55, 2: 0.45, 3: 0.40, 5: 0.38, 10: 0.37}
    known = {share_of(ratio): value for ratio, value in views.items()}
    bound = RiskBound(0.30, 0.20, 0.02, 0.05, warp_bias=0.40, views=lambda share: known[share])
    assert best_ratio(bound, list(views)) == 3
    assert best_ratio(RiskBound(0.3, 0.2, 0.1, 0.1), [0, 1, 3]) == 3
    assert best_ratio(RiskBound(0.2, 0.3, 0.1, 0.1), [0, 1, 3]) == 0
