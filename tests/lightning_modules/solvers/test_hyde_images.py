"""FastHyDe and HyRes of another package, called as solvers; a stand-in takes its place where it is not installed."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import pytest
import torch
from torch import Tensor

from hyperalign.errors import MissingPackageError
from lightning_modules import HydeImages
from lightning_modules.solvers import SolverError, hyde_images


class Halves:
    """Takes rows x columns x bands, spoils its input, and returns half of it."""

    def __call__(self, image: Tensor) -> Tensor:
        """Return half of the image."""
        assert image.shape == (4, 5, 3)
        half = image / 2
        image.zero_()
        return half


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    package = ModuleType("hyde")
    package.FastHyDe = package.HyRes = Halves  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "hyde", package)


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("method", ["FastHyDe", "HyRes"])
def test_cubes_go_through_the_package_one_by_one_and_are_not_changed(method: str) -> None:
    observed = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    before, told = observed.clone(), []
    result = hyde_images(observed, method, lambda done, most, _: told.append((done, most)))  # type: ignore[arg-type]
    assert torch.equal(result.restored, before / 2)
    assert torch.equal(observed, before)
    assert result.converged.tolist() == [True, True]
    assert told == [(1, 2), (2, 2)]
    assert torch.equal(HydeImages(method)(observed), before / 2)  # type: ignore[arg-type]


@pytest.mark.usefixtures("stand_in")
def test_a_cube_that_is_not_finite_is_refused() -> None:
    with pytest.raises(SolverError, match="FastHyDe"):
        hyde_images(torch.full((1, 3, 4, 5), torch.nan))


def test_without_the_package_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hyde", None)
    with pytest.raises(MissingPackageError, match=r'pip install "hyperalign\[hyde\]"'):
        hyde_images(torch.rand(1, 3, 4, 5))


@pytest.mark.skipif(importlib.util.find_spec("hyde") is None, reason="hyde-images is not installed")
def test_the_package_itself_removes_noise() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.linspace(0, 3, 64)
    clean = (torch.sin(rows)[:, None] * torch.cos(rows)[None] * torch.linspace(0.2, 0.9, 16)[:, None, None])[None]
    noisy = clean + 0.1 * torch.randn(clean.shape, generator=generator)
    for method in ("FastHyDe", "HyRes"):
        error = (HydeImages(method)(noisy) - clean).square().mean()
        assert error < 0.5 * (noisy - clean).square().mean(), method
