"""The study's table: means over scenes and seeds, gains, and shares of the gap, from rows written by hand."""

from __future__ import annotations

from pathlib import Path

from experiments.commands.study import EPOCHS, RUNS, SOURCE_ONLY, UPPER_BOUND, Study, summary


def row(model: str, test_set: str, psnr: float, seed: int = 0) -> dict[str, str]:
    return {
        "test_set": test_set,
        "scene": "s",
        "model": model,
        "psnr": str(psnr),
        "ssim": "0.9",
        "sam": "5",
        "seed": str(seed),
    }


def test_share_of_the_gap_is_gain_over_the_upper_bounds_gain() -> None:
    rows = [row(SOURCE_ONLY, name, 30.0) for name in ("observed", "unobserved")]
    rows += [row("mixed", "observed", 31.0, 0), row("mixed", "observed", 32.0, 1), row("mixed", "unobserved", 29.5)]
    rows += [row(UPPER_BOUND, "observed", 33.0), row(UPPER_BOUND, "unobserved", 32.0)]
    text = summary(rows)
    assert "| mixed | observed | 31.50 | 0.9000 | 5.00 | +1.50 | 50% |" in text
    assert "| mixed | unobserved | 29.50 | 0.9000 | 5.00 | -0.50 | -25% |" in text


def test_no_gap_is_said_instead_of_divided_by() -> None:
    rows = [row(name, test_set, 30.0) for name in (SOURCE_ONLY, UPPER_BOUND) for test_set in ("observed", "unobserved")]
    assert "| +0.00 | no gap |" in summary(rows)


def test_upper_bound_is_one_round_on_the_clean_observed_scenes() -> None:
    study = Study("gaussian", "hir_align/cave_target", "source.ckpt", None, Path("out"))
    bound = next(run for run in RUNS if run.name == UPPER_BOUND)
    options = bound.options(study, ["balloons", "cloth"])
    assert bound.epochs() == [EPOCHS - 1]
    assert [options[i + 1] for i, word in enumerate(options) if word == "--data.init_args.training+"] == [
        "balloons",
        "cloth",
    ]
    assert "--proxy.init_args.store" not in options


def test_mixed_run_is_tested_after_every_round() -> None:
    mixed = next(run for run in RUNS if run.name == "mixed")
    assert mixed.epochs() == [EPOCHS - 1, 2 * EPOCHS - 1, 3 * EPOCHS - 1]
