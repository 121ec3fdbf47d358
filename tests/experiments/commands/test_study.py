"""The study's table: means over scenes and seeds, gains, and shares of the gap, from rows written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.cli import main
from experiments.commands.study import EPOCHS, OUR_BOUND, RUNS, SOURCE_ONLY, UPPER_BOUND, study_of, summary
from experiments.commands.tables import Table


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


def test_the_spread_is_that_of_the_gain_over_seeds() -> None:
    """Of the gain, not of the PSNR: noise makes a seed's scenes easier for all rows."""
    rows = [row(SOURCE_ONLY, name, 30.0 + seed, seed) for name in ("observed", "unobserved") for seed in (0, 1)]
    rows += [row("mixed", name, 31.0 + 1.2 * seed, seed) for name in ("observed", "unobserved") for seed in (0, 1)]
    rows += [row(UPPER_BOUND, name, 33.0, 0) for name in ("observed", "unobserved")]
    text = summary(rows)
    assert "| mixed | observed | 31.60 | 0.9000 | 5.00 | +1.10 ± 0.14 | 44% |" in text
    assert "| source-only | observed | 30.50 | 0.9000 | 5.00 | +0.00 | 0% |" in text
    assert "Seeds 0, 1; ± is the standard deviation of the gain over seeds." in text


def test_both_bounds_have_a_column() -> None:
    rows = [row(SOURCE_ONLY, name, 30.0) for name in ("observed", "unobserved")]
    for label, gain in ((UPPER_BOUND, 1.0), ("ours, mixed", 1.5), (OUR_BOUND, 2.0)):
        rows += [row(label, name, 30.0 + gain) for name in ("observed", "unobserved")]
    text = summary(rows)
    assert "| share of the gap | share of our gap |" in text
    assert "| ours, mixed | unobserved | 31.50 | 0.9000 | 5.00 | +1.50 | 150% | 75% |" in text


def test_no_gap_is_said_instead_of_divided_by() -> None:
    rows = [row(name, test_set, 30.0) for name in (SOURCE_ONLY, UPPER_BOUND) for test_set in ("observed", "unobserved")]
    assert "| +0.00 | no gap |" in summary(rows)


TABLE = Table((), None, Path("out"), ("--synthesis.ratio=1", "--proxy.tile", "64", "--data.crop", "48"))


def value(options: list[str], key: str) -> str:
    return options[options.index(key) + 1]


def test_upper_bound_is_one_round_on_the_clean_observed_scenes_whatever_the_backbones_own_length() -> None:
    study = study_of("gaussian", "hir_align/cave_target", None, TABLE, "backbones/t3sc", epochs=2)
    bound = next(run for run in RUNS if run.name == UPPER_BOUND)
    options = bound.options(study, ["balloons", "cloth"])
    assert [path.name for path in bound.checkpoints(study, 0).values()] == ["epoch_1.ckpt"]
    assert value(options, "--trainer.max_epochs") == "2"
    assert [options[i + 1] for i, word in enumerate(options) if word == "--data.training+"] == ["balloons", "cloth"]
    assert "--proxy.store" not in options
    assert bound.table(study).extra == ("--data.crop", "48")
    assert bound.table(study).configs[0] == "backbones/t3sc"


def test_mixed_run_is_tested_after_every_round() -> None:
    study = study_of("gaussian", "hir_align/cave_target", None, TABLE)
    mixed = next(run for run in RUNS if run.name == "mixed")
    assert {name: path.name for name, path in mixed.checkpoints(study, 0).items()} == {
        "mixed, round 1": f"epoch_{EPOCHS - 1}.ckpt",
        "mixed, round 2": f"epoch_{2 * EPOCHS - 1}.ckpt",
        "mixed, round 3": f"epoch_{3 * EPOCHS - 1}.ckpt",
    }
    assert value(mixed.options(study, []), "--trainer.max_epochs") == str(3 * EPOCHS)
    shared = ("backbones/sert_compact", "hir_align/cave_target", "tasks/gaussian")
    assert mixed.table(study).configs == (*shared, "hir_align/paper", "hir_align/study")
    assert mixed.table(study).settings == study.table.settings


def test_our_recipe_is_the_packaged_one_with_what_its_task_adds() -> None:
    study = study_of("complex", "hir_align/cave_target", None, TABLE)
    assert study.recipe("ours").configs[-3:] == ("hir_align/adapt", "hir_align/adapt_complex", "hir_align/study")
    gaussian = study_of("gaussian", "hir_align/cave_target", None, TABLE)
    assert gaussian.recipe("ours").configs[-2:] == ("hir_align/adapt", "hir_align/study")


def test_the_control_never_sees_the_target() -> None:
    study = study_of("gaussian", "hir_align/cave_target", None, TABLE)
    control = next(run for run in RUNS if run.training == "source")
    table = control.table(study)
    assert "hir_align/cave_target" not in table.configs
    assert "data/sample_scenes" in table.configs
    assert table.root is None
    assert control.options(study, ["balloons"])[:2] == ["--config", "hir_align/upper_bound"]


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (["nosuchtask"], 2, "There is no task 'nosuchtask': the nearest one is "),
        (
            ["deblurring"],
            1,
            "The checkpoint deblurring.ckpt is not shipped for the task deblurring: give one by --source.",
        ),
        (
            ["gaussian", "--source", "nowhere.ckpt"],
            1,
            "The checkpoint nowhere.ckpt does not exist: give one by --source.",
        ),
        (["gaussian", "--data", "data/kave"], 2, "There is no config 'data/kave'"),
        (["gaussian", "--backbone", "backbones/set"], 2, "There is no config 'backbones/set'"),
        (
            ["gaussian", "complex"],
            2,
            "The word 'complex' belongs to no option: `hyperalign study --help` shows what can",
        ),
        ([], 2, "The following arguments are required: task: `hyperalign study --help` shows what can be given."),
        (["gaussian", "--seeds", "one"], 2, "Argument --seeds: invalid int value: 'one': `hyperalign study --help`"),
    ],
)
def test_a_mistake_is_answered_before_anything_runs(
    words: list[str], status: int, sentence: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["study", *words]) == status
    captured = capsys.readouterr()
    assert captured.err.startswith(f"error: {sentence}")
    assert captured.err.count("\n") == 1
    assert [path.name for path in folder.iterdir()] == ["tiny.yaml"]
