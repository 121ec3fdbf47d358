"""What identifies a run, and what it lacks on this machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from experiments.reproduction.plan import Places, places_of, planned, settings_of
from experiments.reproduction.specification import Cell, Source, Words

CONFIGS = ("backbones/sert_compact", "hir_align/cave_target", "tasks/gaussian", "hir_align/paper")
CELL = Cell("row", "CAVE", "adapt", Words(CONFIGS), Source("gaussian"), None, {}, {})
FIT = Source(None, Words(("backbones/sert", "data/icvl", "tasks/gaussian", "hir_align/pretrain")))
NOWHERE = Places({}, {})


def test_a_run_is_known_by_its_settings_and_not_by_how_they_are_said() -> None:
    first = planned(CELL, 0, NOWHERE)
    assert first.digest == planned(replace(CELL, row="other", column="KAIST", test_set="observed"), 0, NOWHERE).digest
    same = Words(CONFIGS, ("--synthesis.ratio", "3"))
    assert first.digest == planned(replace(CELL, run=same), 0, NOWHERE).digest
    other = Words(CONFIGS, ("--synthesis.ratio", "5"))
    digests = {planned(replace(CELL, run=other), 0, NOWHERE).digest, planned(CELL, 1, NOWHERE).digest, first.digest}
    digests |= {planned(replace(CELL, command="test"), 0, NOWHERE).digest}
    digests |= {planned(replace(CELL, source=Source("complex")), 0, NOWHERE).digest}
    digests |= {planned(CELL, 0, NOWHERE, ("--trainer.precision", "bf16-mixed")).digest}
    assert len(digests) == 6


def test_where_the_data_lie_is_no_part_of_a_run(tmp_path: Path) -> None:
    here = planned(CELL, 0, Places({"CAVE": str(tmp_path)}, {}))
    assert here.digest == planned(CELL, 0, NOWHERE).digest
    assert here.paths == ("--data.root", str(tmp_path))
    assert here.lacks == ()


def test_what_is_not_there_is_said_and_how_to_give_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cell = replace(CELL, source=FIT, needs={"unclip": "--synthesis.guides.checkpoint"})
    run = planned(cell, 0, Places({"CAVE": str(tmp_path)}, {}))
    assert run.lacks == ("unclip is not given (--file unclip=PATH)", "ICVL is not at data/ICVL (--root ICVL=FOLDER)")
    both = Places({"CAVE": str(tmp_path), "ICVL": str(tmp_path)}, {"unclip": str(tmp_path)})
    run = planned(cell, 0, both)
    assert run.lacks == ()
    assert run.paths == ("--data.root", str(tmp_path), "--synthesis.guides.checkpoint", str(tmp_path))
    assert run.source is not None
    assert (run.source.command, run.source.paths) == ("fit", ("--data.root", str(tmp_path)))
    assert (
        planned(cell, 0, Places({}, {"unclip": "no/where"})).lacks[0] == "CAVE is not at data/CAVE (--root CAVE=FOLDER)"
    )


def test_what_a_network_needs_its_source_needs_too() -> None:
    needs = {"text": "--model.network.text_embedding.encoder", "unclip": "--synthesis.guides.checkpoint"}
    run = planned(replace(CELL, source=FIT, needs=needs), 0, Places({"CAVE": ".", "ICVL": "."}, {"text": "."}))
    assert run.lacks == ("unclip is not given (--file unclip=PATH)",)
    assert run.source is not None
    assert run.source.lacks == ()
    assert run.source.paths == ("--data.root", ".", "--model.network.text_embedding.encoder", ".")


def test_a_source_that_starts_from_another_is_two_runs() -> None:
    bound = Source(None, Words(CONFIGS, ("--data.role", "source")), FIT)
    run = planned(replace(CELL, command="test", source=bound), 0, NOWHERE).source
    assert run is not None
    assert run.source is not None
    assert run.source.digest == planned(replace(CELL, source=FIT), 0, NOWHERE).source.digest  # type: ignore[union-attr]
    assert run.digest != run.source.digest


def test_settings_are_those_of_the_merged_configurations() -> None:
    settings = settings_of(["--config", "hir_align/paper", "--synthesis.ratio", "7"])
    assert settings["synthesis"]["init_args"]["ratio"] == 7
    assert settings["trainer"]["max_epochs"] == 4


def test_folders_are_given_by_name_or_by_the_folder_above_them(tmp_path: Path) -> None:
    for name in ("CAVE", "KAIST", "other"):
        (tmp_path / name).mkdir()
    assert places_of([str(tmp_path)], []).roots == {
        "CAVE": str(tmp_path / "CAVE"),
        "KAIST": str(tmp_path / "KAIST"),
    }
    assert places_of(["complete_ms_data", "ICVL=x"], ["unclip=y=z"]) == Places(
        {"CAVE": "complete_ms_data", "ICVL": "x"}, {"unclip": "y=z"}
    )
