"""The terms of the bound in a tiny adaptation: logged once a round, finite, and in the order that theory asks for."""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch

from callbacks import TheoryDiagnostics
from callbacks.reporting.diagnostics.theory import PATCH
from tests.callbacks.tiny import stages, tiny_data, tiny_module, tiny_trainer


def measured(folder: Path, **settings: object) -> dict[str, float]:
    theory = TheoryDiagnostics(str(folder / "theory"), patches=128, **settings)  # type: ignore[arg-type]
    trainer = tiny_trainer(folder, [*stages(folder / "store", rounds=1), theory], max_epochs=1)
    trainer.fit(tiny_module(folder), datamodule=tiny_data(folder))
    files = sorted((folder / "theory").iterdir())
    assert [path.name for path in files] == ["theory_round_1.json"]
    found: dict[str, float] = json.loads(files[0].read_text())
    return found


def test_every_term_is_measured(tmp_path: Path) -> None:
    facts = measured(tmp_path)
    assert all(math.isfinite(value) for value in facts.values())
    assert facts["kappa"] >= 1 - 1e-4
    assert 1 <= facts["views_proxy"] <= 3
    assert facts["views_proxy"] <= facts["views_mixed"] + 1e-6
    for name in ("proxy", "generated", "mixed"):
        assert facts[f"observed_{name}_sliced"] > 0
        assert facts[f"observed_{name}_sinkhorn"] > 0
        assert f"bound_{name}" in facts
    # shuffled pixels have lost their surroundings
    assert facts["coverage_shuffled"] > facts["coverage_proxy_as_made"]
    assert facts["epsilon_p"] <= facts["epsilon_p_bound"]


def test_without_clean_scenes_only_observations_are_compared(tmp_path: Path) -> None:
    facts = measured(tmp_path, clean=False)
    assert "observed_mixed_sliced" in facts
    assert not [name for name in facts if name.startswith(("coverage", "epsilon", "bound"))]


def test_patches_are_spectra_in_their_surroundings() -> None:
    theory = TheoryDiagnostics(patches=5)
    cube = torch.arange(2 * 6 * 6.0).reshape(2, 6, 6)
    drawn = theory._patches({"a": cube, "b": cube})
    assert drawn.shape == (5, 2 * PATCH * PATCH)
    assert torch.equal(drawn[:, 1] - drawn[:, 0], torch.ones(5))
    assert torch.equal(drawn[:, PATCH] - drawn[:, 0], torch.full((5,), 6.0))
