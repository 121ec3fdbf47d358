"""HIR-Diff as a module: what its function gives, under inference mode too, with weights by published names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import torch

from lightning_modules import HIRDiff, SolverModule, load_official_state
from lightning_modules.solvers.hir_diff.restoration import PUBLISHED, hir_diff
from tests.lightning_modules.solvers.hir_diff.recorded_step import recorded_step, tiny


def cubes() -> torch.Tensor:
    return torch.rand(1, 6, 8, 12, generator=torch.Generator().manual_seed(0))


def test_the_module_is_the_function() -> None:
    module = HIRDiff(network=tiny(), steps=2).eval()
    expected = hir_diff(
        cubes(), module.network, "denoising", size_multiple=2, settings=replace(PUBLISHED["denoising"], steps=2)
    )
    assert torch.equal(module(cubes()), expected.restored)
    with torch.inference_mode():
        assert torch.equal(module(cubes()), expected.restored)
        restored = SolverModule(module).restore({"observation": cubes(), "name": ["a"]})
    assert torch.equal(restored, expected.restored)


def test_missing_entries_are_the_zeros() -> None:
    mask = (torch.rand(cubes().shape, generator=torch.Generator().manual_seed(1)) > 0.3).float()
    module = HIRDiff("inpainting", tiny(), steps=2, data_weight=4.0).eval()
    settings = replace(PUBLISHED["inpainting"], steps=2, data_weight=4.0)
    expected = hir_diff(cubes() * mask, module.network, "inpainting", mask=mask, size_multiple=2, settings=settings)
    assert torch.equal(module(cubes() * mask), expected.restored)


def test_published_weights_load_below_the_method(golden: ModuleType, shared: Path) -> None:
    spec, _, network = recorded_step(golden, shared)
    module = HIRDiff(network=tiny())
    for prefix in ("", "denoise_fn."):
        state = {prefix + name: tensor for name, tensor in golden.official_state(spec).items()}
        load_official_state(module, state)
        for name, tensor in network.state_dict().items():
            assert torch.equal(module.network.state_dict()[name], tensor)
