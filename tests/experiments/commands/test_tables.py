"""What the tables share: rows that are kept, words of the runs, means, and refusals in one sentence."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from experiments.commands import tables
from experiments.commands.tables import Table, arguments_of, averages, scored, seed_of, table_parser, without
from experiments.configuration.names import checked_names
from hyperalign.errors import UsageError
from lightning_modules import GSA, FusionSolverModule


def test_a_row_is_run_once_with_the_shared_words_and_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(("a", "b"), "scenes", tmp_path, ("--trainer.devices", "1"), ("--model.source", "x.ckpt"))
    folder, given = table.folder(3, "tests", "mixed, round 1"), list[str]()
    assert folder == tmp_path / "seed_3" / "tests" / "mixed,_round_1"

    def run(words: Sequence[str]) -> None:
        given.extend(words)
        folder.mkdir(parents=True)
        (folder / "results.csv").write_text("scene,model,psnr\nballoons,adapted,31.5\n")

    monkeypatch.setattr(tables, "run", run)
    for _ in range(2):
        rows = scored(table, folder, "mixed, round 1", 3, ["test", "--ckpt_path", "y.ckpt"])
        assert rows == [{"scene": "balloons", "model": "mixed, round 1", "psnr": "31.5", "seed": "3"}]
    assert given == [
        *("test", "--config", "a", "--config", "b", "--model.source", "x.ckpt", "--data.seed", "3"),
        *("--seed_everything", "3", "--trainer.default_root_dir", str(folder), "--data.root", "scenes"),
        *("--trainer.devices", "1", "--verbose", "false", "--ckpt_path", "y.ckpt"),
        *("--results.folder", str(folder), "--results.name", "mixed, round 1"),
    ]


def test_means_are_over_the_rows_asked_for() -> None:
    rows = [{"model": "a", "psnr": "30"}, {"model": "a", "psnr": "31"}, {"model": "b", "psnr": "9"}]
    assert averages(rows, ["psnr"], model="a") == {"psnr": 30.5}


def test_options_of_a_section_are_left_out_with_their_values() -> None:
    words = [
        "--proxy.rounds",
        "2",
        "--proxy=null",
        "--proxysomething",
        "1",
        "--data.x+",
        "a",
        "--synthesis.y",
        "[1, 2]",
    ]
    assert without(words, ("proxy", "synthesis")) == ["--proxysomething", "1", "--data.x+", "a"]


def test_words_that_no_option_takes_are_refused_and_others_go_to_the_runs() -> None:
    parser = table_parser("study", "About.", None)
    given, extra = arguments_of(parser, ["--seeds", "1", "2", "--data.x", "a", "--trainer.y=3"])
    assert (given.seeds, extra) == ([1, 2], ("--data.x", "a", "--trainer.y=3"))
    with pytest.raises(UsageError, match=r"^The word 'b' belongs to no option: `hyperalign study --help` shows"):
        arguments_of(parser, ["--data.x=a", "b"])
    with pytest.raises(UsageError, match=r"^There is no ablation 'ful': the nearest one is 'full', of full, other\.$"):
        checked_names("ablation", ["full", "ful"], ["full", "other"])
    with pytest.raises(UsageError, match=r"is 'full', of full, 'ours, mixed', mixed\.$"):
        checked_names("row", ["ful"], ["full", "ours, mixed", "mixed"])


def test_a_seed_is_a_number_that_generators_take() -> None:
    assert [seed_of(word) for word in ("0", "7", "4294967295")] == [0, 7, 2**32 - 1]
    for word in ("-1", "4294967296", "1.0", "x", ""):
        with pytest.raises(ArgumentTypeError, match="is no seed: give a whole number from 0 to 4294967295"):
            seed_of(word)


def test_costs_are_the_mean_of_seconds_and_the_largest_memory_where_a_method_keeps_them() -> None:
    module = FusionSolverModule(GSA())
    command = SimpleNamespace(model=module)
    assert tables.costs_of_a_scene(command) == {}  # type: ignore[arg-type]
    module.seconds, module.gibibytes = [1.0, 3.0], [0.5, 0.25]
    assert tables.costs_of_a_scene(command) == {"seconds": 2.0, "gibibytes": 0.5}  # type: ignore[arg-type]
    lines = [{"model": "a", "seconds": "1", "gibibytes": "0.5"}, {"model": "a", "seconds": "2", "gibibytes": "0.25"}]
    assert tables.told_costs([*lines, {"model": "b"}], model="a") == "1.50 / 0.50"
    assert tables.told_costs([*lines, {"model": "b"}], model="b") == ""
